import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MessageChannel } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { toErrorData } from "../../shared/errors.ts";
import type { TailraceError } from "../../shared/errors.ts";
import { hashPage } from "../../shared/format/page-hash.ts";
import { LogWriter } from "../../shared/log/log-writer.ts";
import { answerCalls, emit } from "../../shared/rpc.ts";
import type { EngineEvents, NodeHead, SourceStanding, SnapshotInfo } from "../../shared/serve/engine.ts";
import type { ServeLimits } from "../../shared/serve/limits.ts";
import { startServer } from "../../shared/serve/serve-thread.ts";
import { runServer } from "../../shared/serve/server.ts";
import { hex64 } from "../../shared/units.ts";
import { History } from "./history.ts";
import { MadeUpEngine } from "./made-up-engine.ts";

export const LOG_ID = "000102030405060708090a0b0c0d0e0f";

interface Options {
  readonly segmentSizeBytes?: number;
  readonly limits?: Partial<ServeLimits>;
  /** In a worker, as in real life; else in this thread. */
  readonly isThreaded?: boolean;
  /** Unix ms. */
  readonly clock?: () => number;
  readonly role?: "primary" | "replica";
}

/** A node whose engine is made up: a real log and real snapshot files behind the real server. */
export class ServingNode implements AsyncDisposable {
  readonly folder: string;
  readonly history: History = new History(512);
  readonly log: LogWriter;
  readonly engine: MadeUpEngine;
  /** Of the head, as far as they are stated. */
  standing: SourceStanding = {};
  url = "";
  /** How often the engine was asked for a snapshot. */
  snapshotCalls = 0;
  /** What the engine answers; may be replaced. */
  snapshot: () => Promise<SnapshotInfo> | SnapshotInfo;
  logId: string = LOG_ID;
  epoch = 1;
  closeServer: (deadlineMs: number) => Promise<void> = async () => {};
  private readonly port: MessagePort;

  static async start(options: Options = {}): Promise<ServingNode> {
    const { port1, port2 } = new MessageChannel();
    const node = new ServingNode(port1, options.segmentSizeBytes ?? 1 << 20);
    const server = {
      host: "127.0.0.1",
      port: 0,
      logFolder: join(node.folder, "log"),
      enginePort: port2,
      role: options.role ?? ("primary" as const),
      version: "1.2.3",
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    };
    const { port, close } = await (options.isThreaded
      ? startServer(server)
      : runServer(server, options.clock ?? Date.now));
    node.url = `http://127.0.0.1:${port}`;
    node.closeServer = close;
    return node;
  }

  private constructor(port: MessagePort, segmentSizeBytes: number) {
    this.folder = mkdtempSync(join(tmpdir(), "tailrace-serve-"));
    this.port = port;
    const { log } = LogWriter.open({
      folder: join(this.folder, "log"),
      logId: LOG_ID,
      epoch: 1,
      pageSizeBytes: 512,
      segmentSizeBytes,
      durability: "os",
      clock: () => 1_700_000_000_000,
      initial: this.history.initial,
    });
    this.log = log;
    this.snapshot = () => this.makeSnapshot(1, 7);
    this.engine = new MadeUpEngine(
      () => this.head,
      () => {
        this.snapshotCalls += 1;
        return this.snapshot();
      },
    );
    answerCalls(port, this.engine.methods);
  }

  get head(): NodeHead {
    const { headTxid, headCommitTimeMs, headChecksum, start, durableEnd } = this.log;
    return {
      logId: this.logId,
      epoch: this.epoch,
      pageSizeBytes: 512,
      txid: headTxid,
      commitTimeMs: headCommitTimeMs,
      databaseChecksum: hex64(headChecksum),
      start,
      end: durableEnd,
      ...this.standing,
    };
  }

  /** Appends transactions, and tells the server of the new head. */
  commit(count = 1, record: Parameters<History["record"]>[0] = {}): void {
    for (let i = 0; i < count; i++)
      for (const fragment of this.history.record(record)) this.log.append(fragment);
    this.announce();
  }

  announce(): void {
    emit<EngineEvents, "head">(this.port, "head", this.head);
  }

  unready(error: TailraceError | null): void {
    emit<EngineEvents, "unready">(this.port, "unready", error === null ? null : toErrorData(error));
  }

  /** The engine dies. */
  closeEngine(): void {
    this.port.close();
  }

  /** Writes a snapshot's files: pages filled with their number. */
  makeSnapshot(generation: number, pageCount: number): SnapshotInfo {
    const image = Buffer.concat(
      Array.from({ length: pageCount }, (_, page) =>
        Buffer.alloc(512, `generation ${generation} page ${page + 1} `),
      ),
    );
    let checksum = 0n;
    for (let page = 1; page <= pageCount; page++)
      checksum ^= hashPage(page, image.subarray((page - 1) * 512, page * 512));
    const file = join(this.folder, `${generation}.db`);
    const checksumsFile = join(this.folder, `${generation}.sums`);
    writeFileSync(file, image);
    writeFileSync(checksumsFile, Buffer.alloc(pageCount * 8, generation));
    return {
      generation,
      txid: this.log.headTxid,
      databaseChecksum: hex64(checksum),
      pageSizeBytes: 512,
      pageCount,
      cursor: this.log.end,
      logId: this.logId,
      epoch: this.epoch,
      createdMs: 1_700_000_000_000,
      file,
      checksumsFile,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeServer(0);
    this.port.close();
    this.log.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Asks until the node is ready: its first head is on its way from another thread. */
export async function whenReady(url: string): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const { status } = await fetch(`${url}/readyz`);
    if (status === 200) return;
  }
  throw new Error(`${url} does not become ready`);
}
