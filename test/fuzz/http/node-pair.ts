import { readdirSync } from "node:fs";
import { join } from "node:path";
import { openPrimary } from "../../../src/primary.ts";
import type { Primary } from "../../../src/primary.ts";
import { openReplica } from "../../../src/replica.ts";
import type { Replica } from "../../../src/replica.ts";
import { must } from "../engine/target.ts";

const SYNC_MS = 20_000;
/** What docs and ARCHITECTURE.md have on disk, of either node. */
const KNOWN_FILES =
  /^(app|edge)\.db(-wal|-shm|-tailrace(\/(lock\.db(-journal)?|position|pages\.sum|meta\.json|replicas\.json|clean-close\.json|bootstrap\.(part|json)|resync\.(sums|pages)|log(\/(\d{16}\.log|start\.json))?|snapshots(\/\d{8}\.(db|sums|json))?))?)?$/;
const UNFINISHED = /\.(tmp|new|part)(-\w+)?$/;

/** A primary and a replica of it, as users run them, both served. */
export class NodePair {
  readonly primary: Primary;
  readonly replica: Replica;
  private readonly folder: string;

  private constructor(folder: string, primary: Primary, replica: Replica) {
    this.folder = folder;
    this.primary = primary;
    this.replica = replica;
  }

  static async start(folder: string): Promise<NodePair> {
    const listen = { port: 0 };
    const primary = await openPrimary({ file: join(folder, "app.db"), listen, durability: "os" });
    primary.database.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, body)");
    const replica = await openReplica({
      primary: primary.address!,
      file: join(folder, "edge.db"),
      listen,
      durability: "os",
      id: "well-behaved",
    });
    const pair = new NodePair(folder, primary, replica);
    for (let commit = 0; commit < 20; commit++) await pair.commit();
    return pair;
  }

  port(node: "primary" | "replica"): number {
    return Number(new URL(this[node].address!).port);
  }

  /** One commit, seen by a reader of the replica. @throws WrongError when it does not come */
  async commit(): Promise<void> {
    const { primary, replica } = this;
    primary.database.exec("INSERT INTO t(body) VALUES (randomblob(500))");
    const { txid } = await primary.durable();
    await replica.waitFor(txid, { timeoutMs: SYNC_MS });
    const count = "SELECT count(*) AS rows, max(id) AS last FROM t";
    const [here, there] = [replica, primary].map((node) =>
      JSON.stringify(node.database.prepare(count).get()),
    );
    must(here === there, `a well-behaved replica sees ${here}, where ${there} is`);
  }

  /** @throws WrongError for a file that neither node has by itself */
  checkFiles(): void {
    for (const name of readdirSync(this.folder, { recursive: true, encoding: "utf8" }))
      must(KNOWN_FILES.test(name) || UNFINISHED.test(name), `a file that should not be: ${name}`);
  }

  async close(): Promise<void> {
    await this.replica.close();
    await this.primary.close();
  }
}
