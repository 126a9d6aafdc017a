import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { failpoint } from "../failpoint.ts";
import { segmentPath } from "../log/segment-files.ts";
import { UNFINISHED_SUFFIX, publishFile, syncFolder, writeFileAtomically } from "../storage/atomic-file.ts";
import { readAt, writeAt } from "../storage/positioned-io.ts";
import { onStorage } from "../storage/storage-error.ts";
import { CUT_FOLDER } from "./folder-names.ts";
import { readDocument } from "./offline-folder.ts";
import type { LogCut, RepairPlan } from "./repair-plan.ts";

const COPY_BYTES = 1 << 20;
/** Says what the folder is of. Written first, and again with the time when all is done. */
const DOCUMENT = "repair.json";

const schema = z.looseObject({
  at: z.object({ segment: z.int(), offset: z.int() }).nullable(),
  doneMs: z.int().nullable(),
});

/**
 * Does what a plan says. What goes is moved into `log-cut-0001` (and so on) in the data folder, which the caller holds.
 *
 * A crash at any point leaves the log damaged as before, or cut; the same repair can then be done again, and takes up
 * the same folder. The order that this stands on: the part of a segment that goes is saved before anything is taken
 * away; segments go the newest first; the segment that is kept in part is cut last.
 *
 * @returns the folder that holds what was taken away
 * @throws storage_failed
 */
export function carryOut(folder: string, plan: RepairPlan, nowMs: () => number): string {
  const { cut, moves } = plan;
  const aside = onStorage("make a folder in", folder, () => asideFolder(folder, plan));
  const say = (doneMs: number | null): void =>
    writeFileAtomically(
      join(aside, DOCUMENT),
      Buffer.from(`${JSON.stringify({ at: cut?.at ?? null, doneMs, plan }, null, 2)}\n`),
    );
  say(null);
  failpoint("repair.begun");
  const [partial] = cut === null ? [] : cut.segments.filter(({ isWhole }) => !isWhole);
  if (cut !== null && partial !== undefined) {
    const target = join(aside, tailName(partial.file, cut));
    onStorage("save", target, () => copyTail(join(folder, partial.file), cut.at.offset, target));
    failpoint("repair.tail-saved");
  }
  for (const file of moves.flatMap(({ files }) => files)) moveAside(folder, file, aside);
  for (const { file } of cut?.segments.filter(({ isWhole }) => isWhole).toReversed() ?? [])
    moveAside(folder, file, aside);
  if (cut !== null && partial !== undefined) {
    const path = segmentPath(join(folder, "log"), cut.at.segment);
    onStorage("cut", path, () => truncate(path, cut.at.offset));
    failpoint("repair.cut");
  }
  say(nowMs());
  return aside;
}

/** Where an interrupted repair of the same kind left off, or a new folder. */
function asideFolder(folder: string, { cut, moves }: RepairPlan): string {
  const numbers = readdirSync(folder).flatMap((name) => CUT_FOLDER.exec(name)?.[1] ?? []);
  const last = numbers.toSorted((a, b) => Number(a) - Number(b)).at(-1);
  const going = [
    ...moves.flatMap(({ files }) => files),
    ...(cut?.segments.filter(({ isWhole }) => isWhole) ?? []).map(({ file }) => file),
  ];
  if (last !== undefined) {
    const path = join(folder, `log-cut-${last}`);
    const isFree = going.every((file) => !existsSync(join(path, basename(file))));
    if (isFree && isUnfinished(path, cut)) return path;
  }
  const path = join(folder, `log-cut-${String(Number(last ?? 0) + 1).padStart(4, "0")}`);
  mkdirSync(path);
  syncFolder(folder);
  return path;
}

function isUnfinished(path: string, cut: LogCut | null): boolean {
  try {
    const document = readDocument(join(path, DOCUMENT));
    // Nothing is moved before the document is there.
    if (document === undefined) return true;
    const { at, doneMs } = schema.parse(document);
    return doneMs === null && at?.segment === cut?.at.segment && at?.offset === cut?.at.offset;
  } catch {
    return false;
  }
}

function moveAside(folder: string, file: string, aside: string): void {
  const path = join(folder, file);
  onStorage("move aside", path, () => {
    renameSync(path, join(aside, basename(file)));
    syncFolder(aside);
    syncFolder(dirname(path));
  });
  failpoint("repair.moved");
}

/** `0000000000000003.log.from-18342`: the bytes of that segment from there on. */
function tailName(file: string, { at }: LogCut): string {
  return `${basename(file)}.from-${at.offset}`;
}

function copyTail(from: string, offset: number, to: string): void {
  const source = openSync(from, "r");
  const target = openSync(to + UNFINISHED_SUFFIX, "w");
  try {
    const buffer = Buffer.allocUnsafe(COPY_BYTES);
    for (let done = 0; ;) {
      const size = readAt(source, buffer, offset + done);
      if (size === 0) break;
      writeAt(target, buffer.subarray(0, size), done);
      done += size;
    }
    fsyncSync(target);
  } finally {
    closeSync(source);
    closeSync(target);
  }
  publishFile(to + UNFINISHED_SUFFIX, to);
}

function truncate(path: string, sizeBytes: number): void {
  const descriptor = openSync(path, "r+");
  try {
    ftruncateSync(descriptor, sizeBytes);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
