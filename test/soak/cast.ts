import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { statusSchema } from "../../shared/status.ts";
import type { ReplicaEngineStatus, StatusDocument } from "../../shared/status.ts";
import { NodeProcess, ServingProcess, until } from "../harness/node-process.ts";
import type { Scene } from "./scene.ts";
import type { Script } from "./script.ts";

/** A process of a soak. */
export interface Actor {
  readonly name: string;
  readonly process: NodeProcess;
  /** Where it is a node of Tailrace. */
  readonly node: {
    readonly role: "primary" | "replica";
    readonly url: string;
    readonly database: string;
  } | null;
  /** Whether it is there from beginning to end. */
  readonly stays: boolean;
}

/** Where the machine has much else to do, even a start takes its time. */
const READY_LIMIT_MS = 120_000;
export const END_LIMIT_MS = 120_000;
/** The last fed first. */
const STEADY_REPLICAS = ["leaf", "relay", "edge"];

/**
 * All processes of a soak: the primary, in an application that owns its database and writes in bursts; a steady writer of the
 * same database; `edge` and `relay`, replicas of the primary; `leaf`, a replica of the relay; a reader of all of them; and
 * guests, who come and go.
 */
export class Cast implements AsyncDisposable {
  private readonly folder: string;
  private readonly scene: Scene;
  private readonly script: Script;
  private readonly started: NodeProcess[] = [];
  private readonly byName = new Map<string, Actor>();

  constructor(folder: string, scene: Scene, script: Script) {
    this.folder = folder;
    this.scene = scene;
    this.script = script;
  }

  /** Those that run now. */
  get actors(): readonly Actor[] {
    return [...this.byName.values()];
  }

  actor(name: string): Actor {
    return this.byName.get(name)!;
  }

  /** Starts all that stay. */
  async start(): Promise<void> {
    const primary = await this.startPrimary();
    const { database } = primary.node!;
    const writer = await this.startPython("writer", "soak-writer.py", [
      database,
      this.script.commitsPerSecond,
    ]);
    await writer.waitFor(/writing\n/, READY_LIMIT_MS);
    await Promise.all([
      this.startReplica("edge", "primary"),
      this.startReplica("relay", "primary").then(() => this.startReplica("leaf", "relay")),
    ]);
    const databases = this.actors.flatMap(({ node }) => (node === null ? [] : [node.database]));
    await this.startPython("reader", "soak-reader.py", [this.script.longReadSeconds, ...databases]);
  }

  databaseOf(name: string): string {
    return join(this.folder, `${name}.db`);
  }

  /** Resolves when it is ready. */
  async startReplica(name: string, source: string, stays = true): Promise<Actor> {
    const database = this.databaseOf(name);
    const argv = [
      "replica",
      this.actor(source).node!.url,
      database,
      "--id",
      name,
      ...this.script.replicaFlags,
    ];
    const serving = ServingProcess.launch(argv, { cli: this.scene.cli });
    this.started.push(serving);
    await serving.ready(READY_LIMIT_MS);
    const { url } = serving;
    const actor = this.enter({ name, process: serving, node: { role: "replica", url, database }, stays });
    await until(
      `${name} is ready`,
      () => fetch(`${url}/readyz`),
      ({ ok }) => ok,
      READY_LIMIT_MS,
    );
    return actor;
  }

  /** It is about to end, and not looked at any more. */
  leave(name: string): void {
    this.byName.delete(name);
  }

  /**
   * Ends the writing, waits until every replica is what the primary is, then ends the reader and the nodes, the last fed
   * first.
   *
   * @throws when anything is not as it should be
   */
  async end(): Promise<void> {
    await this.endByInput("writer");
    const { process } = this.actor("primary");
    process.send("quiet");
    await process.waitFor(/quiet\n/, END_LIMIT_MS);
    for (const name of STEADY_REPLICAS) await this.hasAll(name);
    await this.endByInput("reader");
    for (const name of STEADY_REPLICAS) {
      const replica = this.actor(name).process as ServingProcess;
      this.leave(name);
      await replica.stop(END_LIMIT_MS);
    }
    await this.endByInput("primary");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const started of this.started) if (started.isRunning) await started.kill();
  }

  private async startPrimary(): Promise<Actor> {
    const database = this.databaseOf("primary");
    const { secondsBetweenBursts, primaryLimits } = this.script;
    const argv = [this.scene.library, database, String(secondsBetweenBursts), JSON.stringify(primaryLimits)];
    const started = new NodeProcess(this.scene.application, argv);
    this.started.push(started);
    const [url] = await started.waitFor(/http:\/\/127\.0\.0\.1:\d+(?=\n)/, READY_LIMIT_MS);
    return this.enter({
      name: "primary",
      process: started,
      node: { role: "primary", url, database },
      stays: true,
    });
  }

  private async startPython(
    name: string,
    program: string,
    argv: readonly (string | number)[],
  ): Promise<NodeProcess> {
    const path = fileURLToPath(new URL(`../programs/${program}`, import.meta.url));
    const started = new NodeProcess(path, argv.map(String), { interpreter: "python3" });
    this.started.push(started);
    this.enter({ name, process: started, node: null, stays: true });
    return started;
  }

  private async hasAll(name: string): Promise<void> {
    const ask = async (node: string): Promise<StatusDocument> =>
      statusSchema.parse(await (await fetch(`${this.actor(node).node!.url}/status`)).json());
    await until(
      `${name} is what the primary is`,
      async () => {
        const { log } = await ask("primary");
        const position = (await ask(name))["position"] as ReplicaEngineStatus["position"];
        return {
          is: [position?.txid, position?.databaseChecksum],
          wanted: [log?.headTxid, log?.databaseChecksum],
        };
      },
      ({ is, wanted }) => isDeepStrictEqual(is, wanted),
      END_LIMIT_MS,
    );
  }

  private enter(actor: Actor): Actor {
    this.byName.set(actor.name, actor);
    return actor;
  }

  private async endByInput(name: string): Promise<void> {
    const { process } = this.actor(name);
    this.leave(name);
    process.child.stdin.end();
    const timer = setTimeout(() => process.child.kill("SIGKILL"), END_LIMIT_MS);
    const { code } = await process.exited;
    clearTimeout(timer);
    if (code !== 0) throw new Error(`the ${name} ended with ${code}:\n${process.text.slice(-2_000)}`);
  }
}
