import type { MessagePort } from "node:worker_threads";
import { MessageChannel } from "node:worker_threads";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NO_MARK } from "../shared/format/position.ts";
import type { Position } from "../shared/format/position.ts";
import { RpcClient } from "../shared/rpc.ts";
import type { EngineEvents, EngineMethods, NodeHead, SourceStanding } from "../shared/serve/engine.ts";
import { ServeSource } from "./serve-source.ts";

const START = { segment: 1, offset: 80 };
const APPLIED = { txid: 7, cursor: { segment: 2, offset: 500 }, checksum: 0xabcn, pageCount: 3 };
const POSITION: Position = {
  pageSizeBytes: 4096,
  logId: "0123456789abcdef0123456789abcdef",
  epoch: 1,
  applied: APPLIED,
  intent: APPLIED,
  floor: APPLIED,
  left: NO_MARK,
  intended: NO_MARK,
  phase: "following",
  isClean: false,
  isStamped: false,
  stamp: { sizeBytes: 0n, modifiedNs: 0n, changedNs: 0n, device: 0n, inode: 0n },
  bootId: "",
  commitTimeMs: 1_800_000_000_000,
};

let standing: SourceStanding;
let logStart: typeof START | undefined;
let source: ServeSource;
let port: MessagePort;
let heads: NodeHead[];
let unready: unknown[];
let goneCount = 0;

beforeEach(() => {
  standing = { clockOffsetMs: 250, freshAsOfMs: null, sourceEnd: APPLIED.cursor };
  logStart = START;
  heads = [];
  unready = [];
  source = new ServeSource({
    methods: {} as EngineMethods,
    logStart: () => logStart,
    source: () => standing,
    onHead: () => {},
    onServerGone: () => (goneCount += 1),
  });
  const { port1, port2 } = new MessageChannel();
  port = port2;
  const server = new RpcClient<EngineMethods, EngineEvents>(port2);
  server.on("head", (head) => heads.push(head));
  server.on("unready", (error) => unready.push(error));
  source.connect(port1);
});

afterEach(() => {
  port.close();
  source.close();
});

test("a serving thread hears that there is nothing yet, then of each state, with the primary's clock", async () => {
  await expect.poll(() => unready).toMatchObject([{ code: "not_ready" }]);
  source.settled(POSITION);
  await expect.poll(() => unready.length).toBe(2);
  expect(unready[1]).toBeNull();
  expect(heads).toEqual([
    {
      logId: POSITION.logId,
      epoch: 1,
      pageSizeBytes: 4096,
      txid: 7,
      commitTimeMs: 1_800_000_000_000,
      databaseChecksum: "0000000000000abc",
      start: START,
      end: APPLIED.cursor,
      clockOffsetMs: 250,
      freshAsOfMs: null,
      sourceEnd: APPLIED.cursor,
    },
  ]);
});

test("with time alone it hears that the replica has lost touch, is back, or has dropped log, and nothing else", async () => {
  source.tended();
  source.settled(POSITION);
  source.tended();
  standing = { clockOffsetMs: 270, freshAsOfMs: null };
  source.tended();
  standing = { clockOffsetMs: 270, freshAsOfMs: 1_800_000_000_100 };
  source.tended();
  source.tended();
  logStart = { segment: 2, offset: 0 };
  source.tended();
  standing = { clockOffsetMs: 400, freshAsOfMs: null };
  source.tended();
  await expect.poll(() => heads.length).toBe(4);
  expect(
    heads.map(({ start, freshAsOfMs, clockOffsetMs }) => [start.segment, freshAsOfMs, clockOffsetMs]),
  ).toEqual([
    [1, null, 250],
    [1, 1_800_000_000_100, 270],
    [2, 1_800_000_000_100, 270],
    [2, null, 400],
  ]);
});

test("that a serving thread has gone is told, so that what it held is held no more; not when the node itself ends", async () => {
  const another = new MessageChannel();
  source.connect(another.port1);
  goneCount = 0;
  another.port2.close();
  await expect.poll(() => goneCount).toBe(1);
  source.close();
  await new Promise((resolve) => port.once("close", resolve));
  expect(goneCount).toBe(1);
});
