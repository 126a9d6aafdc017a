import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { Cleanup } from "./cleanup.ts";
import { NodeProcess, ServingProcess, until } from "./node-process.ts";
import { stepOf } from "./shell.ts";
import { Watcher } from "./watcher.ts";

const OWN_PRIMARY = fileURLToPath(new URL("../programs/own-primary.ts", import.meta.url));
/** Of a replica whose primary dies again and again. */
const LONGEST_PAUSE_MS = 10_000;
const FIRST_STEP = /^ack (\d+) \d+$/m;

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
    const [, step] = await this.primary.waitFor(FIRST_STEP);
    this.expectNothingLost(step, this.primary);
  }

  /** One that follows and writes nothing, where the replica asks. */
  async startQuietPrimary(): Promise<ServingProcess> {
    return this.cleanup.owns(await ServingProcess.start(["primary", this.file, "--port", this.port]));
  }

  async killPrimary(): Promise<void> {
    await this.primary.kill();
    this.note(this.primary);
  }

  /** What a primary that died by itself had to keep of the lives before; and what it had acknowledged since. */
  noteDead(primary: NodeProcess): void {
    const [, step] = FIRST_STEP.exec(primary.text) ?? [];
    expect(step, `acknowledged something before it died\n${primary.text}`).toBeDefined();
    this.expectNothingLost(step, primary);
    this.note(primary);
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
    this.expectAcknowledged();
    await this.replicaGetsTo(this.acknowledged + 1);
  }

  /** The same of a primary that does not write: there is nothing beyond. */
  async replicaHasAll(): Promise<void> {
    this.expectAcknowledged();
    await this.replicaGetsTo(stepOf(this.file));
  }

  private expectAcknowledged(): void {
    expect(stepOf(this.file), "the primary's database has what was acknowledged").toBeGreaterThanOrEqual(
      this.acknowledged,
    );
  }

  private async replicaGetsTo(goal: number): Promise<void> {
    await until(
      "replica goes on",
      () => stepOf(this.edge),
      (step) => step >= goal,
      LONGEST_PAUSE_MS * 2,
    );
  }

  /** The first step after a start stands on the last one that the database still has. */
  private expectNothingLost(firstStep: string | undefined, primary: NodeProcess): void {
    expect(Number(firstStep), `what was acknowledged is lost\n${primary.text}`).toBeGreaterThan(
      this.acknowledged,
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
