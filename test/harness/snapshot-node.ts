import type { Chunk } from "../../replica/receiver.ts";
import type { RangeSink, SnapshotClient, SnapshotHead } from "../../replica/snapshot-client.ts";
import { hashPage } from "../../shared/format/page-hash.ts";
import { NO_MARK } from "../../shared/format/position.ts";
import { encodeFragment } from "./fragments.ts";

export interface SnapshotNode {
  readonly client: SnapshotClient;
  readonly head: SnapshotHead;
  /** From where it was asked for the image, each time. */
  readonly asked: readonly number[];
  /** The next transaction of the log after it, which fills the last page with the text. */
  readonly commit: (text: string) => Chunk;
}

/**
 * A node that has this image as its snapshot, at transaction 4.
 *
 * @param sends what it sends for the image, one after the other, where that is to be something else
 * @param meanwhile is done while it answers for the page checksums
 */
export function snapshotNode(
  image: Buffer,
  {
    pageSizeBytes = 4096,
    sends = [],
    meanwhile = () => {},
  }: {
    readonly pageSizeBytes?: number;
    readonly sends?: readonly Buffer[];
    readonly meanwhile?: () => void;
  } = {},
): SnapshotNode {
  const hashes = Array.from({ length: image.length / pageSizeBytes }, (_, index) =>
    hashPage(index + 1, image.subarray(index * pageSizeBytes, (index + 1) * pageSizeBytes)),
  );
  const head: SnapshotHead = {
    generation: 1,
    etag: '"1"',
    logId: "0".repeat(32),
    epoch: 1,
    pageSizeBytes,
    state: {
      txid: 4,
      cursor: { segment: 1, offset: 80 },
      checksum: hashes.reduce((sum, hash) => sum ^ hash, 0n),
      pageCount: hashes.length,
    },
  };
  const asked: number[] = [];
  const client: Pick<SnapshotClient, "fetchedBytes" | "head" | "pageChecksums" | "read"> = {
    fetchedBytes: 0,
    head: async () => head,
    pageChecksums: async (_head, onData) => {
      meanwhile();
      onData(Buffer.from(BigUint64Array.from(hashes).buffer));
    },
    read: async ({ from, until }, sink: RangeSink) => {
      const sent = sends[asked.length] ?? image;
      asked.push(from);
      sink.start(head, from);
      sink.data(sent.subarray(from, until));
    },
  };
  let { txid, cursor, checksum } = head.state;
  const commit = (text: string): Chunk => {
    const page = hashes.length;
    const images = Buffer.alloc(pageSizeBytes, text);
    const before = checksum;
    const hash = hashPage(page, images);
    checksum ^= hashes[page - 1]! ^ hash;
    hashes[page - 1] = hash;
    txid += 1;
    const header = {
      txid,
      epoch: 1,
      commitTimeMs: txid,
      checksumBefore: before,
      checksumAfter: checksum,
      pageSizeBytes,
      databasePageCount: page,
      fragmentIndex: 0,
      isDifference: false,
      source: { frame: 0, salts: NO_MARK.salts, checksum: NO_MARK.checksum },
    };
    const bytes = encodeFragment({ header, pageNumbers: [page], images });
    const from = cursor;
    cursor = { segment: 1, offset: from.offset + bytes.length };
    const at = { txid, cursor, commitTimeMs: txid, primaryTimeMs: null, ageMs: null };
    return { from, bytes, next: cursor, isEof: true, epoch: 1, head: at };
  };
  return { client: client as SnapshotClient, head, asked, commit };
}
