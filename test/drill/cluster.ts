import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../harness/node-process.ts";
import { SmallDisk } from "../harness/small-disk.ts";
import { DrillNode } from "./drill-node.ts";
import { FaultyProxy } from "./faulty-proxy.ts";
import { Ledger, stepOf } from "./ledger.ts";
import { Readers } from "./readers.ts";
import { Writers } from "./writers.ts";

/** Of everything that is waited for. Only failures take so long, also where the machine has much else to do. */
export const LIMIT_MS = 180_000;
const MIB = 1 << 20;
const DISK_BYTES = 256 * MIB;
const WRITERS = 2;
const LOG_FLAGS = "--log-format json --keep-log-bytes 2MiB --max-log-bytes 48MiB".split(" ");
const PRIMARY_FLAGS = "--segment-size-bytes 256KiB --snapshot-after-bytes 8MiB".split(" ");

/**
 * A primary, two replicas of it (one of them on a disk of its own), a third that is fed by the second, writers, and
 * readers of each. Each replica follows through a proxy.
 */
export class Cluster {
  readonly folder: string = mkdtempSync(join(tmpdir(), "tailrace-drill-"));
  /** Under the primary's data folder and under the replica `small`; null where mounting is not permitted. */
  readonly disks: { readonly primary: SmallDisk; readonly small: SmallDisk } | null;
  readonly primary: DrillNode;
  /** Direct and alone on a small disk; direct and feeding; fed by the second. */
  readonly replicas: readonly [small: DrillNode, feeder: DrillNode, fed: DrillNode];
  readonly proxies: readonly [FaultyProxy, FaultyProxy, FaultyProxy];
  readonly writers: Writers;
  readonly readers: Readers;
  readonly ledger: Ledger;

  static async start(): Promise<Cluster> {
    const proxies = await Promise.all([FaultyProxy.start(), FaultyProxy.start(), FaultyProxy.start()]);
    const cluster = new Cluster(proxies);
    try {
      await cluster.writers.start();
      for (const node of cluster.nodes) await node.start();
      for (const node of cluster.replicas)
        await until(
          `${node.name} has begun`,
          () => stepOf(node.file),
          (step) => step >= 0,
          LIMIT_MS,
        );
      await cluster.readers.start();
      return cluster;
    } catch (error) {
      cluster.saveLogs();
      await cluster.end();
      throw new Error(`the cluster did not come up; kept: ${cluster.folder}`, { cause: error });
    }
  }

  private constructor(proxies: Cluster["proxies"]) {
    this.proxies = proxies;
    this.disks = SmallDisk.isAllowed
      ? { primary: new SmallDisk(DISK_BYTES), small: new SmallDisk(DISK_BYTES) }
      : null;
    const [toSmall, toFeeder, toFed] = proxies;
    const inFolder = (name: string): string => join(this.folder, name);
    const file = inFolder("app.db");
    const dataDir = join(this.disks?.primary.path ?? this.folder, "app.db-tailrace");
    this.primary = new DrillNode(
      "primary",
      { file, dataDir },
      () => ["primary", file, "--data-dir", dataDir, ...PRIMARY_FLAGS, ...LOG_FLAGS],
      (port) => {
        toSmall.targetPort = port;
        toFeeder.targetPort = port;
      },
    );
    this.replicas = [
      replica("small", join(this.disks?.small.path ?? this.folder, "small.db"), toSmall),
      replica("feeder", inFolder("feeder.db"), toFeeder, (port) => (toFed.targetPort = port)),
      replica("fed", inFolder("fed.db"), toFed),
    ];
    const journals = Array.from({ length: WRITERS }, (_, id) => inFolder(`journal-${id}`));
    this.ledger = new Ledger(journals);
    this.writers = new Writers(file, journals);
    this.readers = new Readers(this.nodes);
  }

  get nodes(): readonly DrillNode[] {
    return [this.primary, ...this.replicas];
  }

  get kills(): number {
    return this.nodes.reduce((sum, { kills }) => sum + kills, this.writers.kills);
  }

  get resyncs(): number {
    return this.replicas.reduce((sum, { resyncs }) => sum + resyncs, 0);
  }

  /** Waits until the writers have made so many more commits. */
  async commits(count: number): Promise<void> {
    const goal = stepOf(this.primary.file) + count;
    await until(
      `${count} commits`,
      () => stepOf(this.primary.file),
      (step) => step >= goal,
      LIMIT_MS,
    );
  }

  /** Waits until a replica has all that the primary has now. */
  async catchesUp(node: DrillNode, limitMs: number = LIMIT_MS): Promise<void> {
    const goal = stepOf(this.primary.file);
    await until(
      `${node.name} has step ${goal}`,
      () => stepOf(node.file),
      (step) => step >= goal,
      limitMs,
    );
  }

  /** Writes what each node has said next to its files. */
  saveLogs(): void {
    mkdirSync(join(this.folder, "said"), { recursive: true });
    for (const { name, text } of this.nodes) writeFileSync(join(this.folder, "said", `${name}.log`), text);
  }

  /** Ends all processes, and removes all but the folder. */
  async end(): Promise<void> {
    await this.readers.stop();
    await this.writers.stop();
    for (const node of this.nodes) if (node.isRunning) await node.process.kill();
    for (const proxy of this.proxies) await proxy[Symbol.asyncDispose]();
    this.disks?.primary.remove();
    this.disks?.small.remove();
  }

  removeFolder(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function replica(name: string, file: string, source: FaultyProxy, onUp?: (port: number) => void): DrillNode {
  const argv = (): string[] => ["replica", source.url, file, "--id", name, ...LOG_FLAGS];
  return new DrillNode(name, { file, dataDir: `${file}-tailrace` }, argv, onUp);
}
