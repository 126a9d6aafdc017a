import { mkdirSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { TailraceError, assert } from "../errors.ts";
import { compareCursors } from "../format/cursor.ts";
import { isPageSize } from "../format/record.ts";
import type { SnapshotInfo } from "../serve/engine.ts";
import { UNFINISHED_SUFFIX, syncFolder, writeFileAtomically } from "../storage/atomic-file.ts";
import { onStorage } from "../storage/storage-error.ts";
import { systemCode } from "../system-error.ts";
import type { Cursor } from "../units.ts";

/*
 * The folder of snapshots. A generation (8 decimal digits or more) has three files:
 *
 *   00000001.db     the database image
 *   00000001.sums   8 bytes a page, little-endian: the page's hash; 0 for the lock page
 *   00000001.json   what is said of it; written last and removed first, so that without it there is no generation
 */
const SNAPSHOT_FORMAT_VERSION = 1;
const PAGE_HASH_BYTES = 8;
/** The last moment that a Date can be. */
const MAX_DATE_MS = 8.64e15;

const metadata = z.object({
  formatVersion: z.literal(SNAPSHOT_FORMAT_VERSION),
  generation: z.int().positive(),
  txid: z.int().nonnegative(),
  databaseChecksum: z.string().regex(/^[0-9a-f]{16}$/),
  pageSizeBytes: z.int().refine(isPageSize),
  pageCount: z.int().nonnegative(),
  cursor: z.object({ segment: z.int().positive(), offset: z.int().nonnegative() }),
  logId: z.string().regex(/^[0-9a-f]{32}$/),
  epoch: z.int().nonnegative(),
  createdMs: z.int().nonnegative().max(MAX_DATE_MS),
});

export interface SnapshotPaths {
  readonly file: string;
  readonly checksumsFile: string;
}

/** The generations in a folder. One user at a time: the data folder's lock sees to that. */
export class SnapshotStore {
  private readonly folder: string;
  /** In order of generation. */
  private snapshots: SnapshotInfo[];
  private lastGeneration: number;

  private constructor(folder: string, snapshots: SnapshotInfo[], lastGeneration: number) {
    this.folder = folder;
    this.snapshots = snapshots;
    this.lastGeneration = lastGeneration;
  }

  /**
   * Makes the folder where there is none, and removes what a crash left: files without metadata, and generations that
   * are not whole. Other files are left alone.
   *
   * @throws storage_failed; unknown_version when a later Tailrace wrote a generation
   */
  static open(folder: string): SnapshotStore {
    return onStorage("open", folder, () => {
      mkdirSync(folder, { recursive: true });
      const found = new Map<number, Set<string>>();
      for (const name of readdirSync(folder)) {
        const match = /^(\d{8,15})\.(db|sums|json)(\.tmp)?$/.exec(name);
        if (match === null) continue;
        const generation = Number(match[1]);
        found.set(generation, (found.get(generation) ?? new Set()).add(name));
      }
      const snapshots: SnapshotInfo[] = [];
      for (const [generation, names] of [...found].toSorted(([a], [b]) => a - b)) {
        const snapshot = readWhole(folder, generation);
        if (snapshot !== undefined) snapshots.push(snapshot);
        for (const name of names) {
          if (snapshot === undefined || name.endsWith(".tmp")) rmSync(join(folder, name));
        }
      }
      return new SnapshotStore(folder, snapshots, Math.max(0, ...found.keys()));
    });
  }

  /** In order of generation. */
  list(): readonly SnapshotInfo[] {
    return this.snapshots;
  }

  /** The newest snapshot of the log. */
  newest(logId: string): SnapshotInfo | undefined {
    return this.snapshots.findLast((snapshot) => snapshot.logId === logId);
  }

  /** Forgets generations of which somebody has removed a file: nobody can be given them. @throws storage_failed */
  forgetMissing(): void {
    this.snapshots = this.snapshots.filter(({ file, checksumsFile }) =>
      [file, checksumsFile].every((path) =>
        onStorage("find", path, () => statSync(path, { throwIfNoEntry: false }) !== undefined),
      ),
    );
  }

  /** A generation number never used before, and where its files belong. @throws storage_failed */
  begin(): SnapshotPaths & { readonly generation: number } {
    // Somebody may have removed it.
    onStorage("make", this.folder, () => mkdirSync(this.folder, { recursive: true }));
    const generation = ++this.lastGeneration;
    return { generation, ...pathsOf(this.folder, generation) };
  }

  /** Makes a snapshot known whose image and checksums stand in place, durable. @throws storage_failed */
  publish(snapshot: SnapshotInfo): void {
    const paths = pathsOf(this.folder, snapshot.generation);
    assert(
      snapshot.file === paths.file && snapshot.checksumsFile === paths.checksumsFile,
      "a snapshot is published where it was begun",
    );
    const document = metadata.parse({ formatVersion: SNAPSHOT_FORMAT_VERSION, ...snapshot });
    writeFileAtomically(
      metadataPath(this.folder, snapshot.generation),
      Buffer.from(`${JSON.stringify(document, null, 2)}\n`),
    );
    this.snapshots = [...this.snapshots, snapshot].toSorted((a, b) => a.generation - b.generation);
  }

  /** Removes what was written of a generation that will not be published. */
  abandon(generation: number): void {
    const { file, checksumsFile } = pathsOf(this.folder, generation);
    for (const path of [file, checksumsFile]) {
      rmSync(path, { force: true });
      rmSync(path + UNFINISHED_SUFFIX, { force: true });
    }
  }

  /**
   * Removes a generation. Readers that have its image open go on with it. The newest of all cannot go: with it would
   * go the knowledge which numbers were used.
   * @throws snapshot_unknown, storage_failed
   */
  delete(generation: number): void {
    if (!this.snapshots.some((snapshot) => snapshot.generation === generation)) {
      throw new TailraceError("snapshot_unknown", `there is no snapshot of generation ${generation}`);
    }
    assert(generation !== this.snapshots.at(-1)?.generation, "the newest snapshot is not deleted");
    this.remove(generation);
  }

  /**
   * Removes the generations of a log that are of states past its end: that end was lost, and the log will come to be
   * another one there. Their numbers are not used again while the store is open; an entity tag names the content too.
   *
   * @returns the numbers
   * @throws storage_failed
   */
  removeBeyond(logId: string, end: Cursor): readonly number[] {
    const beyond = this.snapshots.filter(
      (snapshot) => snapshot.logId === logId && compareCursors(snapshot.cursor, end) > 0,
    );
    for (const { generation } of beyond) this.remove(generation);
    return beyond.map(({ generation }) => generation);
  }

  private remove(generation: number): void {
    onStorage("delete from", this.folder, () => {
      // Not there: somebody was quicker, or it went, and the rest did not.
      rmSync(metadataPath(this.folder, generation), { force: true });
      syncFolder(this.folder);
      const { file, checksumsFile } = pathsOf(this.folder, generation);
      rmSync(file, { force: true });
      rmSync(checksumsFile, { force: true });
    });
    this.snapshots = this.snapshots.filter((snapshot) => snapshot.generation !== generation);
  }
}

function pathsOf(folder: string, generation: number): SnapshotPaths {
  const name = String(generation).padStart(8, "0");
  return { file: join(folder, `${name}.db`), checksumsFile: join(folder, `${name}.sums`) };
}

function metadataPath(folder: string, generation: number): string {
  return join(folder, `${String(generation).padStart(8, "0")}.json`);
}

function readWhole(folder: string, generation: number): SnapshotInfo | undefined {
  const found = examineGeneration(folder, generation);
  return typeof found === "string" ? undefined : found;
}

/**
 * Looks at the files of a generation, and changes nothing. Their content is not read but for the metadata.
 *
 * @returns why it is not whole, where metadata, image and checksums are not all there and of the right size
 * @throws unknown_version when a later Tailrace wrote it; the file system's own error
 */
export function examineGeneration(folder: string, generation: number): SnapshotInfo | string {
  const path = metadataPath(folder, generation);
  const document = readJson(path);
  const version = (document as { formatVersion?: unknown } | null | undefined)?.formatVersion;
  if (typeof version === "number" && version > SNAPSHOT_FORMAT_VERSION) {
    throw new TailraceError(
      "unknown_version",
      `${path} has format version ${version}, this build reads ${SNAPSHOT_FORMAT_VERSION}`,
      { hint: "Use the version of Tailrace that wrote it, or delete that snapshot." },
    );
  }
  if (document === undefined) return "there is no metadata: it was never finished, or is being deleted";
  const parsed = metadata.safeParse(document);
  if (!parsed.success || parsed.data.generation !== generation) return "its metadata makes no sense";
  const { formatVersion: _, ...snapshot } = parsed.data;
  const paths = pathsOf(folder, generation);
  const imageBytes = snapshot.pageCount * snapshot.pageSizeBytes;
  const sumsBytes = snapshot.pageCount * PAGE_HASH_BYTES;
  return (
    wrongSize(paths.file, "the image", imageBytes) ??
    wrongSize(paths.checksumsFile, "the list of page checksums", sumsBytes) ?? { ...snapshot, ...paths }
  );
}

function wrongSize(path: string, what: string, expectedBytes: number): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return `${what} is missing`;
  return stats.size === expectedBytes ? undefined : `${what} has ${stats.size} bytes, not ${expectedBytes}`;
}

/** @returns undefined where there is no such file, or no JSON in it; a failing disk is no reason to delete a snapshot */
function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError || systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
