import type * as fs from "node:fs";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { NoRoomError } from "../shared/storage/disk-room.ts";
import { temporaryFolder } from "../test/harness/folder.ts";
import { snapshotNode } from "../test/harness/snapshot-node.ts";
import { loseNames } from "../test/harness/unsynced-names.ts";
import { downloadSnapshot, publishImage } from "./bootstrap.ts";
import { replicaFiles } from "./replica-files.ts";
import type { SnapshotClient, SnapshotHead } from "./snapshot-client.ts";

const PAGE_BYTES = 4096;
const IMAGE = Buffer.concat(["a", "b", "c"].map((text) => Buffer.alloc(PAGE_BYTES, text)));
/** As Linux does it: what a sync could not write is forgotten, and the next sync succeeds without it. */
const disk = vi.hoisted(() => ({ isFailing: false, unwritten: [] as Buffer[], synced: [] as Buffer[] }));

vi.mock("node:fs", async (original) => {
  const { withUnsyncedNames } = await import("../test/harness/unsynced-names.ts");
  const real = withUnsyncedNames(await original<typeof fs>());
  return {
    ...real,
    writeSync: (file: number, bytes: Buffer, from: number, count: number, position: number) => {
      disk.unwritten.push(Buffer.from(bytes.subarray(from, from + count)));
      return real.writeSync(file, bytes, from, count, position);
    },
    fsyncSync: (file: number) => {
      const writes = disk.unwritten.splice(0);
      if (disk.isFailing && writes.some(({ length }) => length >= PAGE_BYTES))
        throw Object.assign(new Error("EIO: i/o error, fsync"), { code: "EIO" });
      disk.synced.push(...writes);
      real.fsyncSync(file);
    },
  };
});

afterEach(() => void Object.assign(disk, { isFailing: false, unwritten: [], synced: [] }));

const options = (
  dataDir: string,
  client: SnapshotClient,
  {
    data = () => {},
    database = () => {},
  }: { data?: (bytes: number) => void; database?: (bytes: number) => void } = {},
  epochSeen = 0,
): Parameters<typeof downloadSnapshot>[0] =>
  ({
    client,
    files: replicaFiles(dataDir, join(dataDir, "edge.db")),
    room: { data: { take: data }, database: { take: database } },
    epochSeen: () => epochSeen,
    onProgress: () => undefined,
  }) as unknown as Parameters<typeof downloadSnapshot>[0];

test("an image that is not the snapshot's is dropped, all of it, and fetched from its beginning", async () => {
  const dataDir = temporaryFolder();
  const flipped = Buffer.from(IMAGE);
  flipped[5000]! ^= 1;
  const sends = [flipped, IMAGE.subarray(0, 2 * PAGE_BYTES)];
  const { client, head, asked } = snapshotNode(IMAGE, { sends });
  const download = (): Promise<SnapshotHead> => downloadSnapshot(options(dataDir, client));
  const { bootstrapPart } = replicaFiles(dataDir, join(dataDir, "edge.db"));
  const refused = { code: "protocol_violation", message: expect.stringContaining("database checksum") };
  await expect(download()).rejects.toMatchObject(refused);
  expect(statSync(bootstrapPart).size).toBe(0);
  // Whole, as far as it goes, but not to the end.
  await expect(download()).rejects.toMatchObject(refused);
  expect(await download()).toEqual(head);
  expect(asked).toEqual([0, 0, 0]);
  expect(readFileSync(bootstrapPart).equals(IMAGE)).toBe(true);
  expect(existsSync(join(dataDir, "edge.db"))).toBe(false);
});

test.each(["database", "data"] as const)(
  "a snapshot for which there is no room on the disk of the %s is refused before its first byte, and none of it is on the disk",
  async (full) => {
    const dataDir = temporaryFolder();
    const { client } = snapshotNode(IMAGE);
    const taken = { database: 0, data: 0 };
    const take = (room: keyof typeof taken) => (bytes: number) => {
      taken[room] += bytes;
      if (room === full) throw new NoRoomError("it", bytes, 0);
    };
    const rooms = { database: take("database"), data: take("data") };
    await expect(downloadSnapshot(options(dataDir, client, rooms))).rejects.toBeInstanceOf(NoRoomError);
    // The image becomes the database; the hashes of its pages stand in the data folder.
    expect(taken).toEqual({ database: IMAGE.length, data: full === "data" ? 3 * 8 : 0 });
    expect(statSync(join(dataDir, "bootstrap.part")).size).toBe(0);
    expect(existsSync(join(dataDir, "bootstrap.json"))).toBe(false);
  },
);

test("what a sync could not put on the disk is written again, in this try or another, before the next sync is believed", async () => {
  const dataDir = temporaryFolder();
  const { client, head, asked } = snapshotNode(IMAGE);
  disk.isFailing = true;
  await expect(downloadSnapshot(options(dataDir, client))).rejects.toMatchObject({ code: "storage_failed" });
  disk.isFailing = false;
  expect(await downloadSnapshot(options(dataDir, client))).toEqual(head);
  expect(asked).toEqual([0]);
  expect(Buffer.concat(disk.synced).includes(IMAGE)).toBe(true);
});

test("a snapshot of an epoch before one that was seen is refused, and what there is of one is not gone on with", async () => {
  const dataDir = temporaryFolder();
  const { client, asked } = snapshotNode(IMAGE, { sends: [IMAGE.subarray(0, 2 * PAGE_BYTES)] });
  const download = (seen: number): Promise<SnapshotHead> =>
    downloadSnapshot(options(dataDir, client, {}, seen));
  await expect(download(1)).rejects.toMatchObject({ code: "protocol_violation" });
  await download(1);
  await expect(download(2)).rejects.toMatchObject({ code: "stale_epoch" });
  expect(asked).toEqual([0, 0, 0]);
});

test("an image that was published stands at its path also after a loss of power", () => {
  const [dataDir, databaseFolder] = [temporaryFolder(), temporaryFolder()];
  const file = join(databaseFolder, "edge.db");
  const files = replicaFiles(dataDir, file);
  writeFileSync(files.bootstrapPart, IMAGE);
  publishImage(file, files);
  expect(existsSync(files.bootstrapPart)).toBe(false);
  // Of two folders, the disk may take what was done to one later first.
  loseNames((path) => path === file);
  expect(readFileSync(file).equals(IMAGE)).toBe(true);
});
