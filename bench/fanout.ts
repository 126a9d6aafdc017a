import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import type { NodeProcess } from "../test/harness/node-process.ts";
import { median, percentile, rounded } from "./harness/result.ts";
import type { Bench, BenchResult } from "./harness/result.ts";
import { Workspace } from "./harness/workspace.ts";

const COUNTS = [1, 10, 100, 1_000];
const ROUNDS = Number(process.env["BENCH_ROUNDS"] ?? 15);
/** Requests have been sent; now they have to have arrived and lie waiting. */
const ARRIVAL_MS = 300;

interface Round {
  readonly firstUs: number;
  readonly lastUs: number;
  readonly ok: number;
  readonly sizeBytes: number;
  readonly headers: Readonly<Record<string, string>>;
}

class Clients {
  private readonly program: NodeProcess;
  private at = 0;

  constructor(program: NodeProcess) {
    this.program = program;
  }

  /** All ask; once they wait, `wake` is to make the server answer. */
  async round(url: string, wake: () => void): Promise<Round> {
    this.program.send(url);
    await this.next(/waiting\n/);
    await pause(ARRIVAL_MS);
    wake();
    const [line] = await this.next(/\{.*\}\n/);
    return JSON.parse(line) as Round;
  }

  /** What all get that ask for what is there already. */
  async now(url: string): Promise<Round> {
    this.program.send(url);
    const [line] = await this.next(/\{.*\}\n/);
    return JSON.parse(line) as Round;
  }

  private async next(pattern: RegExp): Promise<RegExpExecArray> {
    const match = await this.program.waitFor(pattern, 30_000, this.at);
    this.at += match.index + match[0].length;
    return match;
  }
}

async function run(): Promise<BenchResult> {
  const rows: Record<string, string | number>[] = [];
  const figures: Record<string, number> = {};
  for (const count of COUNTS) {
    await using space = new Workspace();
    const file = space.path("app.db");
    const primary = await space.serve(["primary", file, "--durability", "os"]);
    const database = new DatabaseSync(file, { timeout: 10_000 });
    database.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)");
    const insert = database.prepare("INSERT INTO t(v) VALUES (randomblob(100))");
    const clients = new Clients(space.program("waiting-clients", [count]));
    const millis: number[] = [];
    let chunkBytes = 0;
    let [segment, offset] = ["1", "0"];
    for (let round = -1; round < ROUNDS; round++) {
      // To the head first, so that the next request has nothing to fetch.
      for (let isAtHead = false; !isAtHead;) {
        const { headers } = await clients.now(`${primary.url}/wal?segment=${segment}&offset=${offset}`);
        isAtHead = headers["wal-eof"] === "1" && headers["wal-next-offset"] === offset;
        [segment, offset] = [headers["wal-next-segment"]!, headers["wal-next-offset"]!];
      }
      let committedUs = 0;
      const url = `${primary.url}/wal?segment=${segment}&offset=${offset}&wait_ms=20000`;
      const { lastUs, ok, sizeBytes } = await clients.round(url, () => {
        insert.run();
        committedUs = Number(process.hrtime.bigint()) / 1e3;
      });
      if (ok !== count || sizeBytes === 0)
        throw new Error(`${ok} of ${count} were told, of ${sizeBytes} bytes`);
      chunkBytes = sizeBytes;
      if (round >= 0) millis.push((lastUs - committedUs) / 1e3);
    }
    database.close();
    const bare = await bareMillis(space, count, chunkBytes);
    const ratio = median(millis) / median(bare);
    rows.push({
      waiting: count,
      lastToldP50Ms: rounded(median(millis)),
      lastToldWorstMs: rounded(percentile(millis, 1)),
      bareNodeServerP50Ms: rounded(median(bare)),
      ratio: rounded(ratio),
    });
    figures[`${count}LastToldP50Ms`] = rounded(median(millis));
    figures[`${count}LastToldWorstMs`] = rounded(percentile(millis, 1));
    figures[`${count}Ratio`] = rounded(ratio);
  }
  return { rows, figures };
}

async function bareMillis(space: Workspace, count: number, sizeBytes: number): Promise<number[]> {
  const server = space.program("bare-server", [sizeBytes]);
  const [url] = await server.waitFor(/http\S+/);
  const clients = new Clients(space.program("waiting-clients", [count]));
  const millis: number[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    const from = server.text.length;
    const { lastUs } = await clients.round(url, () => server.send("now"));
    const [line] = await server.waitFor(/\{.*\}\n/, 10_000, from);
    const { startUs, held } = JSON.parse(line) as { startUs: number; held: number };
    if (held !== count) throw new Error(`only ${held} of ${count} were waiting`);
    if (round >= 0) millis.push((lastUs - startUs) / 1e3);
  }
  return millis;
}

export const bench: Bench = {
  question:
    "How long from a commit until the last of N waiting replicas has been told, against a bare node server?",
  run,
};
