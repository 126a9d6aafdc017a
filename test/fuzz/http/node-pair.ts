import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ServingProcess } from "../../harness/node-process.ts";
import { must } from "../engine/target.ts";

export type NodeName = "primary" | "replica";

const TETHERED = fileURLToPath(new URL("../../programs/tethered-node.ts", import.meta.url));
const SYNC_MS = 20_000;
/** Of a node of a small database, whatever is asked of it. Idle, it takes about 150 MiB. */
const MAX_RESIDENT_BYTES = 600 << 20;
/** What docs and ARCHITECTURE.md have on disk, of either node; a file that is being written has one more ending. */
const KNOWN_FILES =
  /^(app|edge)\.db(-wal|-shm|-tailrace(\/(lock\.db(-journal)?|position|pages\.sum|meta\.json|replicas\.json|clean-close\.json|bootstrap\.(part|json)|resync\.(sums|pages)|log(\/([0-9a-f]{16}\.log|start\.json))?|snapshots(\/\d{8}\.(db|sums|json))?)(\.(tmp|new|part)[-.\w]*)?)?)?$/;

/** A primary and a replica of it, as processes of their own, and somebody who writes and reads beside them. */
export class NodePair {
  private readonly folder: string;
  private readonly nodes: Readonly<Record<NodeName, ServingProcess>>;
  private readonly writer: DatabaseSync;
  private reader: DatabaseSync | undefined;

  private constructor(folder: string, nodes: Readonly<Record<NodeName, ServingProcess>>) {
    this.folder = folder;
    this.nodes = nodes;
    this.writer = new DatabaseSync(join(folder, "app.db"));
    this.writer.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, body)");
  }

  static async start(folder: string): Promise<NodePair> {
    const tethered = { cli: TETHERED };
    const primary = await ServingProcess.start(
      ["primary", join(folder, "app.db"), "--durability", "os"],
      tethered,
    );
    const argv = [
      "replica",
      primary.url,
      join(folder, "edge.db"),
      "--id",
      "well-behaved",
      "--durability",
      "os",
    ];
    const replica = await ServingProcess.start(argv, tethered);
    const pair = new NodePair(folder, { primary, replica });
    for (let commit = 0; commit < 5; commit++) await pair.commit();
    return pair;
  }

  port(node: NodeName): number {
    return Number(this.nodes[node].port);
  }

  async status(node: NodeName): Promise<Record<string, unknown>> {
    return await this.nodes[node].status();
  }

  /** One commit, seen by a reader of the replica. @throws WrongError when it does not come */
  async commit(): Promise<void> {
    this.writer.exec("INSERT INTO t(body) VALUES (randomblob(500))");
    const there = rowsOf(this.writer);
    let here = "nothing";
    for (const end = performance.now() + SYNC_MS; here !== there && performance.now() < end; await after(1)) {
      try {
        this.reader ??= new DatabaseSync(join(this.folder, "edge.db"), { readOnly: true });
        here = rowsOf(this.reader);
      } catch (error) {
        // Before the first bootstrap there is no file, and then no table.
        must(
          this.reader === undefined || here === "nothing",
          `a reader of the replica fails: ${String(error)}`,
        );
      }
    }
    must(here === there, `a reader of the replica sees ${here} after ${SYNC_MS} ms, where ${there} is`);
  }

  /** @throws WrongError for a node that has ended, has grown, or has a file that nobody knows */
  check(): void {
    for (const [name, node] of Object.entries(this.nodes)) {
      must(node.isRunning, `the ${name} has ended: ${node.text.slice(-500)}`);
      const bytes = residentBytes(node.pid);
      must(bytes < MAX_RESIDENT_BYTES, `the ${name} takes ${bytes >> 20} MiB`);
    }
    for (const name of readdirSync(this.folder, { recursive: true, encoding: "utf8" }))
      must(KNOWN_FILES.test(name), `a file that should not be: ${name}`);
  }

  countDescriptors(): number {
    const counts = Object.values(this.nodes).map(({ pid }) => readdirSync(`/proc/${pid}/fd`).length);
    return counts.reduce((sum, count) => sum + count);
  }

  async close(): Promise<void> {
    this.reader?.close();
    this.writer.close();
    for (const node of Object.values(this.nodes).toReversed()) if (node.isRunning) await node.stop();
  }
}

function rowsOf(database: DatabaseSync): string {
  return JSON.stringify(database.prepare("SELECT count(*) AS count, max(id) AS last FROM t").get());
}

function residentBytes(pid: number): number {
  const [, kib = "0"] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) * 1024;
}
