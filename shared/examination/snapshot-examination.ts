import { closeSync, openSync, readdirSync } from "node:fs";
import { basename } from "node:path";
import { hashPage } from "../format/page-hash.ts";
import { alignedBuffer } from "../format/wal.ts";
import type { SnapshotInfo } from "../serve/engine.ts";
import { examineGeneration } from "../snapshots/snapshot-store.ts";
import { readAt } from "../storage/positioned-io.ts";
import { onStorage } from "../storage/storage-error.ts";
import { hex64, lockPage } from "../units.ts";
import type { Findings } from "./finding.ts";
import { kindOf } from "./offline-folder.ts";

const BLOCK_BYTES = 1 << 20;
const HASH_BYTES = 8;

/** One generation of which there is any file. */
export interface FoundGeneration {
  readonly generation: number;
  /** Names in the folder of snapshots. */
  readonly files: readonly string[];
  /** Undefined where it is not whole. */
  readonly info: SnapshotInfo | undefined;
  /** Without metadata there is no generation: that is what a crash leaves, and the next start removes it. */
  readonly isUnfinished: boolean;
}

/**
 * Looks at every generation: metadata and sizes. Adds findings for those that are not whole.
 *
 * @throws unknown_version; storage_failed
 */
export function examineSnapshots(folder: string, findings: Findings): readonly FoundGeneration[] {
  if (kindOf(folder) !== "folder") return [];
  const files = new Map<number, string[]>();
  for (const name of onStorage("list", folder, () => readdirSync(folder)).toSorted()) {
    const generation = /^(\d{8,15})\.(db|sums|json)$/.exec(name)?.[1];
    if (generation !== undefined)
      files.set(Number(generation), [...(files.get(Number(generation)) ?? []), name]);
  }
  return [...files].map(([generation, names]) => {
    const found = onStorage("read", folder, () => examineGeneration(folder, generation));
    if (typeof found !== "string") return { generation, files: names, info: found, isUnfinished: false };
    const isUnfinished = !names.some((name) => name.endsWith(".json"));
    findings.add(
      isUnfinished ? "note" : "damaged",
      `snapshots/${names[0]!}`,
      `generation ${generation} is not whole: ${found}`,
      {
        advice: "The next start removes it. A snapshot is made anew when one is needed.",
      },
    );
    return { generation, files: names, info: undefined, isUnfinished };
  });
}

/**
 * Reads the image of a snapshot and the list of its page checksums: each page's hash, and all of them together.
 *
 * @returns what is wrong; undefined when nothing is
 */
export function readSnapshot(
  info: SnapshotInfo,
  onProgress: (doneBytes: number) => void,
): { readonly file: string; readonly offset: number | null; readonly text: string } | undefined {
  const { pageSizeBytes, pageCount } = info;
  const image = openSync(info.file, "r");
  const sums = openSync(info.checksumsFile, "r");
  try {
    const block = alignedBuffer(BLOCK_BYTES);
    const expected = new BigUint64Array(BLOCK_BYTES / pageSizeBytes);
    const expectedBytes = new Uint8Array(expected.buffer);
    const unhashed = lockPage(pageSizeBytes);
    const perBlock = expected.length;
    let checksum = 0n;
    let wrongPage: number | undefined;
    for (let before = 0; before < pageCount; before += perBlock) {
      const count = Math.min(perBlock, pageCount - before);
      const bytes = block.subarray(0, count * pageSizeBytes);
      readAt(image, bytes, before * pageSizeBytes);
      readAt(sums, expectedBytes.subarray(0, count * HASH_BYTES), before * HASH_BYTES);
      for (let index = 0; index < count; index++) {
        const page = before + index + 1;
        const start = index * pageSizeBytes;
        const hash = page === unhashed ? 0n : hashPage(page, bytes.subarray(start, start + pageSizeBytes));
        checksum ^= hash;
        if (hash !== expected[index]) wrongPage ??= page;
      }
      onProgress(bytes.length);
    }
    if (hex64(checksum) !== info.databaseChecksum)
      return {
        file: `snapshots/${basename(info.file)}`,
        offset: wrongPage === undefined ? null : (wrongPage - 1) * pageSizeBytes,
        text: `its pages have database checksum ${hex64(checksum)}, not ${info.databaseChecksum}`,
      };
    if (wrongPage === undefined) return undefined;
    return {
      file: `snapshots/${basename(info.checksumsFile)}`,
      offset: (wrongPage - 1) * HASH_BYTES,
      text: `the checksum of page ${wrongPage} is not that of the image`,
    };
  } finally {
    closeSync(image);
    closeSync(sums);
  }
}
