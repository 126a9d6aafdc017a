import { existsSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import type { SnapshotInfo } from "../serve/engine.ts";
import { SnapshotStore } from "./snapshot-store.ts";

const LOG = "0123456789abcdef0123456789abcdef";
const OTHER_LOG = "f".repeat(32);
let folder: string;
beforeEach(() => {
  folder = join(temporaryFolder(), "snapshots");
});

/** Two pages of 512 bytes. */
function add(store: SnapshotStore, logId = LOG): SnapshotInfo {
  const { generation, file, checksumsFile } = store.begin();
  writeFileSync(file, Buffer.alloc(1024));
  writeFileSync(checksumsFile, Buffer.alloc(16));
  const snapshot: SnapshotInfo = {
    generation,
    txid: 5,
    databaseChecksum: "b".repeat(16),
    pageSizeBytes: 512,
    pageCount: 2,
    cursor: { segment: 1, offset: 80 },
    logId,
    epoch: 1,
    createdMs: 1,
    file,
    checksumsFile,
  };
  store.publish(snapshot);
  return snapshot;
}

test("generations are found again, in order, with all that was said of them", () => {
  const store = SnapshotStore.open(folder);
  const all = Array.from({ length: 11 }, () => add(store));
  expect(store.list()).toEqual(all);
  expect(SnapshotStore.open(folder).list()).toEqual(all);
});

test("the newest of a log is not that of another log", () => {
  const store = SnapshotStore.open(folder);
  const mine = add(store);
  const other = add(store, OTHER_LOG);
  expect(store.newest(LOG)).toEqual(mine);
  expect(store.newest(OTHER_LOG)).toEqual(other);
  expect(store.newest("0".repeat(32))).toBeUndefined();
});

test("numbers are never used again, not even those of deleted generations", () => {
  const store = SnapshotStore.open(folder);
  add(store);
  add(store);
  store.delete(1);
  expect(SnapshotStore.open(folder).begin().generation).toBe(3);
  expect(() => store.delete(2)).toThrow(expect.objectContaining({ code: "internal" }));
  expect(() => store.delete(1)).toThrow(expect.objectContaining({ code: "snapshot_unknown" }));
});

test("deleting leaves nothing of a generation", () => {
  const store = SnapshotStore.open(folder);
  add(store);
  add(store);
  store.delete(1);
  expect(readdirSync(folder).toSorted()).toEqual(["00000002.db", "00000002.json", "00000002.sums"]);
});

test.each([
  ["the folder", () => rmSync(folder, { recursive: true })],
  ["the images", () => [1, 2].forEach((generation) => rmSync(join(folder, `0000000${generation}.db`)))],
  ["the sums", () => [1, 2].forEach((generation) => rmSync(join(folder, `0000000${generation}.sums`)))],
])(
  "where somebody has removed %s, the generations are forgotten, and the next has a number of its own",
  (_what, remove) => {
    const store = SnapshotStore.open(folder);
    add(store);
    const second = add(store);
    store.forgetMissing();
    expect(store.list().length).toBe(2);
    remove();
    store.forgetMissing();
    expect(store.list()).toEqual([]);
    const next = add(store);
    expect(next.generation).toBe(second.generation + 1);
    store.forgetMissing();
    expect(store.list()).toEqual([next]);
  },
);

test("the folder can be moved: paths are where it now stands", () => {
  add(SnapshotStore.open(folder));
  const moved = join(temporaryFolder(), "moved");
  const store = SnapshotStore.open(moved);
  for (const name of readdirSync(folder)) writeFileSync(join(moved, name), readFileSync(join(folder, name)));
  expect(store.list()).toEqual([]);
  expect(SnapshotStore.open(moved).list()[0]?.file).toBe(join(moved, "00000001.db"));
});

test("generations of states past the end of their log are removed, and no number comes again", () => {
  const store = SnapshotStore.open(folder);
  add(store);
  const ofAnother = add(store, "f".repeat(32));
  expect(store.removeBeyond(LOG, { segment: 1, offset: 80 })).toEqual([]);
  expect(store.removeBeyond(LOG, { segment: 1, offset: 79 })).toEqual([1]);
  expect(store.list()).toEqual([ofAnother]);
  expect(store.begin().generation).toBe(3);
  expect(SnapshotStore.open(folder).list()).toEqual([ofAnother]);
});

test.each([
  ["the image is missing", (path: string) => rmSync(`${path}.db`)],
  ["the image is cut", (path: string) => truncateSync(`${path}.db`, 1023)],
  ["the sums are missing", (path: string) => rmSync(`${path}.sums`)],
  ["the sums are cut", (path: string) => truncateSync(`${path}.sums`, 8)],
  ["the metadata is missing", (path: string) => rmSync(`${path}.json`)],
  ["the metadata is cut", (path: string) => truncateSync(`${path}.json`, 40)],
  [
    "the metadata is of another generation",
    (path: string) =>
      writeFileSync(
        `${path}.json`,
        readFileSync(`${path}.json`, "utf8").replace(`"generation": 1`, `"generation": 9`),
      ),
  ],
])("a generation of which %s is removed at the next opening, and no other", (_what, damage) => {
  const store = SnapshotStore.open(folder);
  add(store);
  const second = add(store);
  writeFileSync(join(folder, "README"), "not ours");
  damage(join(folder, "00000001"));
  expect(SnapshotStore.open(folder).list()).toEqual([second]);
  expect(readdirSync(folder).toSorted()).toEqual(["00000002.db", "00000002.json", "00000002.sums", "README"]);
});

test("a generation made at a moment that no calendar has is none: its date could not be told", () => {
  add(SnapshotStore.open(folder));
  const path = join(folder, "00000001.json");
  writeFileSync(path, readFileSync(path, "utf8").replace(`"createdMs": 1`, `"createdMs": 8640000000000001`));
  expect(SnapshotStore.open(folder).list()).toEqual([]);
});

test("a generation of a later Tailrace is refused, not removed", () => {
  add(SnapshotStore.open(folder));
  const path = join(folder, "00000001.json");
  const later = readFileSync(path, "utf8").replace(`"formatVersion": 1`, `"formatVersion": 2`);
  writeFileSync(path, later);
  expect(() => SnapshotStore.open(folder)).toThrow(expect.objectContaining({ code: "unknown_version" }));
  expect(existsSync(join(folder, "00000001.db"))).toBe(true);
});
