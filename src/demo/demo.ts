import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { TailraceError } from "../../shared/errors.ts";
import { workerUrl } from "../../shared/threads.ts";
import { count } from "../../shared/human.ts";
import type { Output } from "../output.ts";
import { firstDifference } from "./compare-files.ts";
import { copyDatabase } from "./copy-database.ts";
import { DemoProcess } from "./demo-process.ts";
import { sampleNodes } from "./demo-sample.ts";
import type { DemoNode } from "./demo-sample.ts";
import { LiveTable } from "./demo-table.ts";
import { TransferReader } from "./transfer-reader.ts";

export interface DemoOptions {
  readonly replicaCount: number;
  /** Commits a second. */
  readonly rate: number;
  /** How long the writer writes; undefined: until `signal`. */
  readonly durationMs: number | undefined;
  /** A database to start from a copy of. */
  readonly database: string | undefined;
  /** Ends the writing, and lets the proof follow. */
  readonly signal: AbortSignal;
  readonly output: Output;
}

const CATCH_UP_MS = 60_000;
const STOP_MS = 15_000;
const READY_MS = 120_000;
const STATUS_MS = 5_000;
const REDRAW_MS = 250;
const LINE_MS = 1_000;

/**
 * A primary, replicas and a writer, each a process of its own, in a folder that is gone afterwards; if a replica turns
 * out to be different, the folder is the evidence, and stays.
 *
 * @returns whether every replica's file was byte-identical to the primary's at the end
 */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), "tailrace-demo-"));
  const processes: DemoProcess[] = [];
  const over = new AbortController();
  let isEvidence = false;
  try {
    const isProven = await demonstrate(options, folder, processes, over.signal);
    isEvidence = !isProven;
    return isProven;
  } finally {
    over.abort();
    await Promise.all(processes.map((process) => process.kill()));
    if (isEvidence) options.output.message(`the files stay for a closer look: ${folder}`);
    else await rm(folder, { recursive: true, force: true });
  }
}

async function demonstrate(
  { replicaCount, rate, durationMs, database, signal, output }: DemoOptions,
  folder: string,
  processes: DemoProcess[],
  over: AbortSignal,
): Promise<boolean> {
  const start = (name: string, script: URL, words: readonly string[]): DemoProcess => {
    const process = new DemoProcess({ name, script, words });
    processes.push(process);
    return process;
  };
  const startNode = async (name: string, words: readonly string[], file: string): Promise<DemoNode> => {
    const process = start(name, workerUrl("../cli", import.meta.url), [
      ...words,
      file,
      "--port",
      "0",
      "--json",
    ]);
    const url = String((await process.eventNamed("serving"))["url"]);
    return { name, file, url, process };
  };

  const primaryFile = join(folder, "primary.db");
  if (database !== undefined) await copyDatabase(database, primaryFile);
  const primary = await startNode("primary", ["primary"], primaryFile);
  const page = `${primary.url}/`;
  output.event("page", { url: page }, `page       ${page}   to see it all live in a browser`);
  output.message(`primary    ${primary.url}   ${primary.file}`);
  const replicas = await Promise.all(
    Array.from({ length: replicaCount }, (_, index) => {
      const name = `replica-${index + 1}`;
      return startNode(name, ["replica", primary.url, "--id", name], join(folder, `${name}.db`));
    }),
  );
  for (const { name, url, file } of replicas) output.message(`${name}  ${url}   ${file}`);
  const ready = Promise.all(replicas.map(({ process }) => process.eventNamed("ready")));
  await within(READY_MS, ready, "the replicas were not ready");
  const writer = start("writer", workerUrl("./demo-writer", import.meta.url), [primaryFile, String(rate)]);
  await writer.eventNamed("writing");
  output.message(
    `writer     ${rate} commits/s into ${primaryFile}${durationMs === undefined ? "; Ctrl-C ends it" : ""}\n`,
  );

  const crashed = Promise.race(processes.map((process) => process.crashed));
  const stopWatching = AbortSignal.any([signal, over]);
  await Promise.race([watch(primary, replicas, durationMs, stopWatching, output), crashed]);
  await writer.stop(STOP_MS);
  output.message("\nwriter stopped; waiting until the replicas have all of it");
  await Promise.race([
    within(CATCH_UP_MS, caughtUp(primary, replicas, over), "the replicas did not catch up"),
    crashed,
  ]);
  await Promise.all(replicas.map(({ process }) => process.stop(STOP_MS)));
  await primary.process.stop(STOP_MS);
  return prove(primary, replicas, output);
}

/** Shows the nodes until the time is over or the signal comes. */
async function watch(
  primary: DemoNode,
  replicas: readonly DemoNode[],
  durationMs: number | undefined,
  signal: AbortSignal,
  output: Output,
): Promise<void> {
  const table = new LiveTable(output);
  const startMs = performance.now();
  const elapsedMs = (): number => performance.now() - startMs;
  // Closed before the replicas stop, so that their last connection is their own.
  using opened = new DisposableStack();
  const readers = new Map(replicas.map(({ name, file }) => [name, opened.use(new TransferReader(file))]));
  const sample = sampleNodes([primary, ...replicas], readers, STATUS_MS);
  while (!signal.aborted && elapsedMs() < (durationMs ?? Infinity)) {
    const pauseMs = Math.min(output.isTerminal ? REDRAW_MS : LINE_MS, (durationMs ?? Infinity) - elapsedMs());
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    table.show(elapsedMs(), await sample());
  }
}

/** The writer has stopped: what its file holds is what readers of the replicas have to see. */
async function caughtUp(primary: DemoNode, replicas: readonly DemoNode[], over: AbortSignal): Promise<void> {
  using opened = new DisposableStack();
  const [head, ...readers] = [primary, ...replicas].map(({ file }) => opened.use(new TransferReader(file)));
  const last = head?.newestTransfer();
  while (!over.aborted && !readers.every((reader) => reader.newestTransfer() === last)) await sleep(50);
}

/** All processes have stopped: the files are alone, and can be opened, checkpointed and compared. */
async function prove(primary: DemoNode, replicas: readonly DemoNode[], output: Output): Promise<boolean> {
  for (const { file } of [primary, ...replicas]) checkpoint(file);
  const { size } = await stat(primary.file);
  let isProven = true;
  for (const { name, file } of replicas) {
    const offset = await firstDifference(primary.file, file);
    isProven &&= offset === undefined;
    output.data(
      {
        event: "proof",
        replica: name,
        isIdentical: offset === undefined,
        sizeBytes: size,
        firstDifference: offset ?? null,
      },
      offset === undefined
        ? `${output.style("green", "identical")}  ${name}: all ${count(size)} bytes are the primary's`
        : `${output.style("red", "different")}  ${name}: byte ${offset} is not the primary's`,
    );
  }
  return isProven;
}

function checkpoint(file: string): void {
  const database = new DatabaseSync(file);
  try {
    const row = database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
    if (row?.["busy"] !== 0)
      throw new TailraceError("database_busy", `${file} cannot be checkpointed: it is in use`);
  } finally {
    database.close();
  }
}

async function within<Value>(timeoutMs: number, promise: Promise<Value>, what: string): Promise<Value> {
  const controller = new AbortController();
  const timeout = sleep(timeoutMs, undefined, { signal: controller.signal }).then(() => {
    throw new TailraceError("timeout", `${what} within ${timeoutMs} ms`);
  });
  timeout.catch(() => undefined);
  return Promise.race([promise, timeout]).finally(() => controller.abort());
}
