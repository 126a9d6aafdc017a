import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hashPage } from "../shared/format/page-hash.ts";
import { NoRoomError } from "../shared/storage/disk-room.ts";
import { temporaryFolder } from "../test/harness/folder.ts";
import { downloadSnapshot } from "./bootstrap.ts";
import { replicaFiles } from "./replica-files.ts";
import type { RangeSink, SnapshotClient, SnapshotHead } from "./snapshot-client.ts";

const PAGE_BYTES = 4096;
const IMAGE = Buffer.concat(["a", "b", "c"].map((text) => Buffer.alloc(PAGE_BYTES, text)));
const HEAD: SnapshotHead = {
  generation: 1,
  etag: '"1"',
  logId: "0".repeat(32),
  epoch: 1,
  pageSizeBytes: PAGE_BYTES,
  state: {
    txid: 4,
    cursor: { segment: 1, offset: 80 },
    checksum: [0, 1, 2].reduce(
      (sum, page) => sum ^ hashPage(page + 1, IMAGE.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES)),
      0n,
    ),
    pageCount: 3,
  },
};

/** A node that sends these images, one after the other, each from where it is asked to; and where that was. */
function sending(...images: readonly Buffer[]): { client: SnapshotClient; asked: number[] } {
  const asked: number[] = [];
  const left = [...images];
  const read = async ({ from }: { readonly from: number }, sink: RangeSink): Promise<void> => {
    asked.push(from);
    sink.start(HEAD, from);
    sink.data(left.shift()!.subarray(from));
  };
  return { client: { read } as SnapshotClient, asked };
}

const options = (
  dataDir: string,
  client: SnapshotClient,
  take: (bytes: number) => void,
  epochSeen = 0,
): Parameters<typeof downloadSnapshot>[0] =>
  ({
    client,
    files: replicaFiles(dataDir, join(dataDir, "edge.db")),
    room: { data: { take }, database: { take } },
    epochSeen: () => epochSeen,
    onProgress: () => undefined,
  }) as unknown as Parameters<typeof downloadSnapshot>[0];

test("an image that is not the snapshot's is dropped, all of it, and fetched from its beginning", async () => {
  const dataDir = temporaryFolder();
  const flipped = Buffer.from(IMAGE);
  flipped[5000]! ^= 1;
  const { client, asked } = sending(flipped, IMAGE.subarray(0, 2 * PAGE_BYTES), IMAGE);
  const download = (): Promise<SnapshotHead> => downloadSnapshot(options(dataDir, client, () => undefined));
  const { bootstrapPart } = replicaFiles(dataDir, join(dataDir, "edge.db"));
  const refused = { code: "protocol_violation", message: expect.stringContaining("database checksum") };
  await expect(download()).rejects.toMatchObject(refused);
  expect(statSync(bootstrapPart).size).toBe(0);
  // Whole, as far as it goes, but not to the end.
  await expect(download()).rejects.toMatchObject(refused);
  expect(await download()).toEqual(HEAD);
  expect(asked).toEqual([0, 0, 0]);
  expect(readFileSync(bootstrapPart).equals(IMAGE)).toBe(true);
  expect(existsSync(join(dataDir, "edge.db"))).toBe(false);
});

test("an image for which there is no room is refused before its first byte, and none of it is on the disk", async () => {
  const dataDir = temporaryFolder();
  const { client } = sending(IMAGE);
  const asked: number[] = [];
  const full = (bytes: number): void => {
    asked.push(bytes);
    throw new NoRoomError("it", bytes, 0);
  };
  await expect(downloadSnapshot(options(dataDir, client, full))).rejects.toBeInstanceOf(NoRoomError);
  // The image, and a hash for each of its pages.
  expect(asked).toEqual([IMAGE.length + 3 * 8]);
  expect(statSync(join(dataDir, "bootstrap.part")).size).toBe(0);
  expect(existsSync(join(dataDir, "bootstrap.json"))).toBe(false);
});

test("a snapshot of an epoch before one that was seen is refused, and what there is of one is not gone on with", async () => {
  const dataDir = temporaryFolder();
  const { client, asked } = sending(IMAGE.subarray(0, 2 * PAGE_BYTES), IMAGE, IMAGE);
  const download = (seen: number): Promise<SnapshotHead> =>
    downloadSnapshot(options(dataDir, client, () => undefined, seen));
  await expect(download(1)).rejects.toMatchObject({ code: "protocol_violation" });
  await download(1);
  await expect(download(2)).rejects.toMatchObject({ code: "stale_epoch" });
  expect(asked).toEqual([0, 0, 0]);
});
