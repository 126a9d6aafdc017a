import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Chance } from "../../harness/seed.ts";
import { buildBytes, proposeBytes } from "./byte-steps.ts";
import type { ByteFormat } from "./byte-steps.ts";
import { buildDocumentText, proposeDocument } from "./json-steps.ts";
import { oneOf, randomBytes } from "./numbers.ts";
import type { Step } from "./target.ts";

/** Files that a name in a folder stands for, and where their numbers are. */
export type FormatOf = (name: string) => Omit<ByteFormat, "seeds"> | undefined;

/** Names that Tailrace gives files, and some that nobody does. */
const NAMES = [
  "log/ffffffffffffffff.log",
  "log/0000000000000000.log",
  "log/0000000000000003.log",
  "log/00000000000000ff.log",
  "log/start.json",
  "log/start.json.tmp",
  "snapshots/00000001.db",
  "snapshots/999999999999999.json",
  "snapshots/000000001.sums",
  "pages.sum",
  "position",
  "position.damaged",
  "meta.json",
  "meta.json.tmp",
  "replicas.json",
  "clean-close.json",
  "bootstrap.part",
  "bootstrap.json",
  "resync.sums",
  "resync.pages",
  "resync.log",
  "lock.db-journal",
  "log-set-aside-unfinished",
  "log-cut-0001",
  "log-cut-999999999",
  "log",
  "snapshots",
];

/** Every file of a folder, by its path in it. */
export function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(folder, name)).isFile())
    .toSorted();
}

/** Changes to a folder: to its files, which are there, and to what there is. */
export function proposeFolder(folder: string, formatOf: FormatOf, chance: Chance): readonly Step[] {
  const files = filesIn(folder);
  return Array.from({ length: chance.integer(1, 3) }, () => {
    const file = oneOf(chance, files);
    const other = oneOf(chance, [...files, ...NAMES]);
    const kind = chance.next();
    if (kind < 0.75) return changedFile(folder, file, formatOf, chance);
    if (kind < 0.82) return { op: "remove", file };
    if (kind < 0.88) return { op: "rename", file, to: other };
    if (kind < 0.94) return { op: "copy", file, to: other };
    if (kind < 0.97)
      return {
        op: "file",
        file: other,
        steps: [{ op: "bytes", base64: randomBytes(chance, 600).toString("base64") }],
      };
    return { op: "folder", file: other };
  });
}

function changedFile(folder: string, file: string, formatOf: FormatOf, chance: Chance): Step {
  const bytes = readFileSync(join(folder, file));
  if (file.endsWith(".json")) {
    const [seed, ...steps] = proposeDocument([JSON.parse(bytes.toString("utf8"))], chance);
    return { op: "json", file, steps: seed === undefined ? [] : steps };
  }
  const format = { fields: () => [], ...formatOf(file), seeds: [bytes] };
  return { op: "file", file, steps: proposeBytes(format, chance).slice(1) };
}

/** Carries the steps out on a folder. What cannot be done is left out: another step may have taken the file away. */
export function changeFolder(folder: string, formatOf: FormatOf, steps: readonly Step[]): void {
  for (const step of steps) {
    const path = join(folder, step["file"] as string);
    const to = join(folder, (step["to"] as string | undefined) ?? ".");
    if (!hasParent(path)) continue;
    const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() === true;
    if (path === to) continue;
    if (step.op === "remove") rmSync(path, { recursive: true, force: true });
    else if (step.op === "folder" && !existsSync(path)) mkdirSync(path);
    else if (step.op === "file") {
      if (existsSync(path) && !isFile) continue;
      const seed = isFile ? readFileSync(path) : Buffer.alloc(0);
      const format = { fields: () => [], ...formatOf(step["file"] as string), seeds: [seed] };
      writeFileSync(path, buildBytes(format, [{ op: "seed", seed: 0 }, ...(step["steps"] as Step[])]));
    } else if (step.op === "json" && isFile) {
      const document = { op: "document", document: parsed(readFileSync(path, "utf8")) };
      writeFileSync(path, buildDocumentText([document, ...(step["steps"] as Step[])]));
    } else if (
      (step.op === "rename" || step.op === "copy") &&
      isFile &&
      statSync(to, { throwIfNoEntry: false })?.isDirectory() !== true &&
      hasParent(to)
    ) {
      if (step.op === "rename") renameSync(path, to);
      else cpSync(path, to);
    }
  }
}

/** Makes it, where a file of an earlier step does not stand in its place. */
function hasParent(path: string): boolean {
  try {
    mkdirSync(dirname(path), { recursive: true });
    return true;
  } catch {
    return false;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
