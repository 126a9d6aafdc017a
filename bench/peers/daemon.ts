import { spawn } from "node:child_process";
import type { ChildProcess, SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { basename } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Workspace } from "../harness/workspace.ts";

const STOP_LIMIT_MS = 20_000;
const START_LIMIT_MS = 30_000;
const KEPT_OUTPUT_CHARS = 4_000;

/** A peer's program. It ends with the workspace, if nobody stops it before. */
export class Daemon {
  private readonly child: ChildProcess;
  private output = "";

  /** @param lastSignal what ends it for sure, and leaves nothing behind */
  constructor(
    space: Workspace,
    command: string,
    argv: readonly string[],
    options: SpawnOptions = {},
    lastSignal: NodeJS.Signals = "SIGKILL",
  ) {
    this.child = spawn(command, argv, { ...options, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout!, this.child.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.output = (this.output + text).slice(-KEPT_OUTPUT_CHARS);
      });
    this.child.on("error", ({ message }) => (this.output += message));
    space.onDispose(async () => await this.stop(lastSignal));
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** What it printed last. */
  get text(): string {
    return this.output;
  }

  get isRunning(): boolean {
    return this.child.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (!this.isRunning) return;
    const exited = once(this.child, "exit");
    this.child.kill(signal);
    const ending = await Promise.race([exited, pause(STOP_LIMIT_MS, "late", { ref: false })]);
    if (ending !== "late") return;
    this.child.kill("SIGKILL");
    await exited;
  }

  /** Asks until the answer is yes. @throws when it ends before, or the limit runs out */
  async ready(isReady: () => Promise<boolean> | boolean): Promise<void> {
    const deadline = performance.now() + START_LIMIT_MS;
    while (this.isRunning && performance.now() < deadline) {
      if (await isReady()) return;
      await pause(10);
    }
    const how = this.isRunning ? "is not ready" : "has ended";
    throw new Error(`${basename(this.child.spawnfile)} ${how}: ${this.output}`);
  }
}

/** Whether anything answers there, whatever it says. */
export async function answers(url: string): Promise<boolean> {
  return await fetch(url).then(
    () => true,
    () => false,
  );
}
