import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { Cleanup } from "./cleanup.ts";
import { NodeProcess, ServingProcess, until } from "./node-process.ts";
import { stepOf } from "./shell.ts";
import { Watcher } from "./watcher.ts";

const OWN_PRIMARY = fileURLToPath(new URL("../programs/own-primary.ts", import.meta.url));

/** A primary that owns its database, a replica of it, and what has been acknowledged so far. */
export class OwnedCluster {
  readonly file: string;
  readonly edge: string;
  private readonly cleanup: Cleanup;
  private port = "0";
  private acknowledged = -1;
  primary!: NodeProcess;
  replica!: ServingProcess;

  constructor(cleanup: Cleanup) {
    this.cleanup = cleanup;
    this.file = join(cleanup.folder, "owned.db");
    this.edge = join(cleanup.folder, "owned-edge.db");
  }

  launchPrimary(env: Record<string, string> = {}): NodeProcess {
    return this.cleanup.owns(new NodeProcess(OWN_PRIMARY, [this.file, this.port, "commit"], { env }));
  }

  async startPrimary(): Promise<void> {
    this.primary = this.launchPrimary();
    const [, port] = await this.primary.waitFor(/http:\/\/127\.0\.0\.1:(\d+)\n/);
    this.port = port!;
    // The first step after a start stands on the last one that the database still has.
    const [, step] = await this.primary.waitFor(/^ack (\d+) \d+$/m);
    expect(Number(step), `what was acknowledged is lost\n${this.primary.text}`).toBeGreaterThan(
      this.acknowledged,
    );
  }

  async startReplica(env: Record<string, string> = {}): Promise<void> {
    const argv = ["replica", `http://127.0.0.1:${this.port}`, this.edge];
    this.replica = this.cleanup.owns(await ServingProcess.start(argv, { env }));
  }

  /** Starts both, and a reader that watches the replica from now on. */
  async start(): Promise<Watcher> {
    await this.startPrimary();
    await this.startReplica();
    await until(
      "replica is there",
      () => stepOf(this.edge),
      (step) => step >= 0,
    );
    return await Watcher.start(this.edge);
  }

  /** Remembers what a primary, now dead, had acknowledged. */
  note(primary: NodeProcess): void {
    for (const [, step] of primary.text.matchAll(/^ack (\d+) \d+$/gm))
      this.acknowledged = Math.max(this.acknowledged, Number(step));
  }

  /** The database has every acknowledged step, and the replica gets to it and beyond. */
  async replicaGoesOn(): Promise<void> {
    expect(stepOf(this.file), "the primary's database has what was acknowledged").toBeGreaterThanOrEqual(
      this.acknowledged,
    );
    const goal = this.acknowledged + 1;
    await until(
      "replica goes on",
      () => stepOf(this.edge),
      (step) => step >= goal,
    );
  }

  async end(watcher: Watcher, what: string): Promise<void> {
    this.primary.child.stdin.end();
    const { code } = await this.primary.exited;
    expect(code, `${what}\n${this.primary.text.slice(-2000)}`).toBe(0);
    this.note(this.primary);
    const watched = await watcher.stop();
    expect(watched.problem, what).toBeNull();
    expect(watched.states, what).toBeGreaterThan(10);
  }
}
