import { crc32, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { Receiver } from "../../../replica/receiver.ts";
import type { Transport } from "../../../replica/transport.ts";
import type { Chance } from "../../harness/seed.ts";
import { oneOf, randomBytes } from "../engine/numbers.ts";
import { must } from "../engine/target.ts";
import type { Outcome, Step, Target } from "../engine/target.ts";

const LOG_ID = "0123456789abcdef0123456789abcdef";
const MAX_BYTES = 64 << 10;
const FROM = { segment: 3, offset: 100 };
const TEXTS = [
  "",
  "0",
  "1",
  "-1",
  "01",
  "1e3",
  "0x10",
  "9007199254740991",
  "9007199254740992",
  "18446744073709551616",
  "4",
  "3",
  "null",
  "ff".repeat(16),
];
const HEADERS = [
  "wal-next-segment",
  "wal-next-offset",
  "wal-head-txid",
  "wal-head-segment",
  "wal-head-offset",
  "wal-head-time",
  "wal-eof",
  "wal-epoch",
  "wal-log-id",
  "wal-checksum",
  "content-encoding",
  "age",
  "wal-time",
  "wal-fresh-time",
  "tailrace-protocol",
];
const ENCODINGS = {
  identity: (bytes: Buffer) => bytes,
  gzip: (bytes: Buffer) => gzipSync(bytes),
  zstd: (bytes: Buffer) => zstdCompressSync(bytes),
};
type Encoding = keyof typeof ENCODINGS;
interface ChunkStep extends Step {
  readonly name?: string;
  readonly value?: string;
  readonly part?: number;
  readonly hex?: string;
}
/** What one may send, and a bomb. */
const LENGTHS = [0, 1, 100, MAX_BYTES - 1, MAX_BYTES, MAX_BYTES + 1, 12 << 20];

/** Made beforehand: what is measured is the reader. */
const contents = new Map(LENGTHS.map((length) => [length, Buffer.alloc(length, "record")]));
const bodies = new Map(
  Object.entries(ENCODINGS).flatMap(([name, encode]) =>
    LENGTHS.map((length) => [`${name} ${length}`, encode(contents.get(length)!)] as const),
  ),
);

/** A chunk of the log as it comes over the wire, compressed or not: bombs, lies about lengths, headers that fit nothing. */
export const receiverTarget: Target = {
  name: "chunk",
  shortRun: 60,
  maxMs: 1_000,
  open: () => ({ propose, run }),
};

function propose(chance: Chance): readonly Step[] {
  const steps: Step[] = [
    {
      op: "chunk",
      length: oneOf(chance, LENGTHS),
      encoding: oneOf(chance, Object.keys(ENCODINGS)),
    },
  ];
  for (let left = chance.integer(0, 2); left > 0; left--) {
    const kind = chance.next();
    if (kind < 0.6) steps.push({ op: "header", name: oneOf(chance, HEADERS), value: oneOf(chance, TEXTS) });
    else if (kind < 0.7) steps.push({ op: "cut", part: chance.next() });
    else if (kind < 0.9) steps.push({ op: "flip", part: chance.next() });
    else steps.push({ op: "append", hex: randomBytes(chance, 30).toString("hex") });
  }
  return steps;
}

function build(steps: readonly Step[]): { readonly headers: Map<string, string>; readonly body: Buffer } {
  const { length = 0, encoding = "identity" } = (steps.find(({ op }) => op === "chunk") ?? {}) as {
    length?: number;
    encoding?: Encoding;
  };
  const headers = new Map([
    ["tailrace-protocol", "1"],
    ["wal-log-id", LOG_ID],
    ["wal-epoch", "1"],
    ["wal-checksum", checksumText(contents.get(length)!)],
    ["wal-next-segment", "3"],
    ["wal-next-offset", String(FROM.offset + length)],
    ["wal-eof", "1"],
    ["wal-head-txid", "7"],
    ["wal-head-segment", "3"],
    ["wal-head-offset", "9000"],
    ["wal-head-time", "1700000000000"],
    ["content-encoding", encoding],
  ]);
  let body = bodies.get(`${encoding} ${length}`)!;
  for (const { op, name = "", value = "", part = 0, hex = "" } of steps as readonly ChunkStep[]) {
    if (op === "header") headers.set(name, value);
    if (op === "cut") body = body.subarray(0, Math.floor(part * body.length));
    if (op === "append") body = Buffer.concat([body, Buffer.from(hex, "hex")]);
    if (op === "flip" && body.length > 0) {
      body = Buffer.from(body);
      body[Math.floor(part * body.length)]! ^= 4;
    }
  }
  return { headers, body };
}

async function run(steps: readonly Step[]): Promise<Outcome> {
  const { headers, body } = build(steps);
  const transport: Transport = {
    get: () => Promise.resolve({ status: 200, headers, body }),
    stream: () => Promise.reject(new Error("not asked for")),
    close: () => Promise.resolve(),
  };
  const receiver = new Receiver({ transport, replicaId: "fuzzed", isCompressed: true });
  const chunk = await receiver.fetch({
    cursor: FROM,
    logId: LOG_ID,
    epoch: 1,
    appliedTxid: 1,
    maxBytes: MAX_BYTES,
    waitMs: 0,
  });
  const { bytes, next, head } = chunk;
  must(bytes.length <= MAX_BYTES, `${bytes.length} bytes where ${MAX_BYTES} were asked for`);
  must(headers.get("wal-checksum") === checksumText(bytes), "another checksum");
  must(bytes.equals(decoded(headers.get("content-encoding"), body)), "other bytes");
  const isWithin = next.segment === 3 && next.offset === FROM.offset + bytes.length;
  must(isWithin || (next.segment === 4 && next.offset === 0), "it leads elsewhere");
  for (const number of [head.txid, head.cursor.segment, head.cursor.offset, chunk.epoch])
    must(Number.isSafeInteger(number) && number >= 0, `${number} is no number of this protocol`);
  return "accepted";
}

function checksumText(bytes: Buffer): string {
  return `crc32:${crc32(bytes).toString(16).padStart(8, "0")}`;
}

function decoded(encoding: string | undefined, body: Buffer): Buffer {
  if (encoding === "gzip") return gunzipSync(body);
  return encoding === "zstd" ? zstdDecompressSync(body) : body;
}
