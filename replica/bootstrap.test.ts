import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hashPage } from "../shared/format/page-hash.ts";
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

test("an image that is not the snapshot's is dropped, all of it, and fetched from its beginning", async () => {
  const dataDir = temporaryFolder();
  const files = replicaFiles(dataDir, join(dataDir, "edge.db"));
  const room = { data: { take: () => undefined }, database: { take: () => undefined } };
  const flipped = Buffer.from(IMAGE);
  flipped[5000]! ^= 1;
  const { client, asked } = sending(flipped, IMAGE.subarray(0, 2 * PAGE_BYTES), IMAGE);
  const options = { client, files, room, onProgress: () => undefined } as unknown as Parameters<
    typeof downloadSnapshot
  >[0];
  const refused = { code: "protocol_violation", message: expect.stringContaining("database checksum") };
  await expect(downloadSnapshot(options)).rejects.toMatchObject(refused);
  expect(statSync(files.bootstrapPart).size).toBe(0);
  // Whole, as far as it goes, but not to the end.
  await expect(downloadSnapshot(options)).rejects.toMatchObject(refused);
  expect(await downloadSnapshot(options)).toEqual(HEAD);
  expect(asked).toEqual([0, 0, 0]);
  expect(readFileSync(files.bootstrapPart).equals(IMAGE)).toBe(true);
  expect(existsSync(join(dataDir, "edge.db"))).toBe(false);
});
