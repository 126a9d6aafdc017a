import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { DrillNode } from "./drill-node.ts";

/** strace at a running node: what it asks of the system fails, or takes its time. */
export class Injection {
  private readonly strace: ChildProcess;
  private readonly gone: Promise<unknown>;

  /**
   * @param calls as in `fsync,fdatasync`
   * @param what as in `error=EIO:when=2+3`, counted in each thread
   */
  static async into(node: DrillNode, calls: string, what: string): Promise<Injection> {
    const injection = new Injection(node.process.pid, calls, what);
    await Promise.race([once(injection.strace.stderr!, "data"), injection.gone]);
    return injection;
  }

  static lacks(): string | null {
    const { status } = spawnSync("strace", ["-o", "/dev/null", "true"]);
    return status === 0 ? null : "needs strace, and the right to trace";
  }

  private constructor(pid: number, calls: string, what: string) {
    const argv = ["-f", "-p", String(pid), "-o", "/dev/null"];
    const inject = ["-e", `trace=${calls}`, "-e", `inject=${calls}:${what}`];
    this.strace = spawn("strace", [...argv, ...inject], { stdio: ["ignore", "ignore", "pipe"] });
    this.gone = once(this.strace, "close");
  }

  /** Lets go of the node, if it still lives. */
  async end(): Promise<void> {
    this.strace.kill("SIGINT");
    await this.gone;
  }
}
