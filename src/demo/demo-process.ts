import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { TailraceError } from "../../shared/errors.ts";

const MAX_STDERR_LINES = 20;

export interface DemoProcessOptions {
  readonly name: string;
  /** The module to run, `.ts` in a checkout and `.js` in the package. */
  readonly script: URL;
  readonly words: readonly string[];
}

/**
 * One of the demo's processes. It has a process group of its own, so that Ctrl-C in a terminal reaches the demo alone,
 * which then stops its processes in order; and an IPC channel, by which it learns of the demo's own end.
 */
export class DemoProcess {
  readonly name: string;
  /** Rejects when the process ends without having been asked to; never resolves. */
  readonly crashed: Promise<never>;
  private readonly child: ChildProcess;
  private readonly exited: Promise<unknown>;
  private readonly lines: AsyncIterator<string>;
  private readonly stderrLines: string[] = [];
  private isStopping = false;

  constructor({ name, script, words }: DemoProcessOptions) {
    this.name = name;
    this.child = fork(script, words, {
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: withoutTailraceVariables(process.env),
      execArgv: [],
    });
    const { stdout, stderr } = this.child;
    if (stdout === null || stderr === null) throw new TailraceError("internal", `${name} has no output`);
    this.lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
    createInterface({ input: stderr }).on("line", (line) => {
      this.stderrLines.push(line);
      if (this.stderrLines.length > MAX_STDERR_LINES) this.stderrLines.shift();
    });
    // A listener of "exit", not a promise of the first event: an error while starting must end both.
    this.exited = new Promise((resolve) => {
      this.child.once("exit", resolve);
      this.child.once("error", resolve);
    });
    this.crashed = this.exited.then(() => {
      if (this.isStopping) return new Promise<never>(() => undefined);
      throw this.failure("ended");
    });
    this.crashed.catch(() => undefined); // Whoever waits on it hears of it; nobody has to.
  }

  /** Reads the process's stdout up to an event of that name. @throws internal when the process ends instead */
  async eventNamed(name: string): Promise<Readonly<Record<string, unknown>>> {
    for (;;) {
      const line = await this.lines.next();
      if (line.done === true) {
        await this.exited;
        throw this.failure(`ended before it was ${name}`);
      }
      const event = JSON.parse(line.value) as Record<string, unknown>;
      if (event["event"] === name) return event;
    }
  }

  /** SIGTERM; SIGKILL after the deadline. @throws internal when it did not end well */
  async stop(deadlineMs: number): Promise<void> {
    this.isStopping = true;
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const timer = setTimeout(() => this.child.kill("SIGKILL"), deadlineMs);
      this.child.kill("SIGTERM");
      await this.exited;
      clearTimeout(timer);
    }
    if (this.child.exitCode !== 0) throw this.failure("did not stop well");
  }

  /** For the way out of a failed demo: ends the process, whatever it is doing. */
  async kill(): Promise<void> {
    this.isStopping = true;
    if (this.child.pid === undefined || this.child.exitCode !== null || this.child.signalCode !== null)
      return;
    this.child.kill("SIGKILL");
    await once(this.child, "exit");
  }

  private failure(what: string): TailraceError {
    const { exitCode, signalCode } = this.child;
    const said = this.stderrLines.map((line) => `\n  ${this.name}: ${line}`).join("");
    return new TailraceError(
      "internal",
      `${this.name} ${what} (${signalCode ?? `exit code ${exitCode}`})${said}`,
    );
  }
}

/** The demo's processes are told everything by flags; the user's own settings are not meant for them. */
function withoutTailraceVariables(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith("TAILRACE_")));
}
