import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

/** A Python program of the drill: another process, another SQLite. It ends with its standard input. */
export class PythonProcess {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private readonly lines: AsyncIterator<string>;
  private readonly closed: Promise<unknown>;

  constructor(program: string, argv: readonly string[]) {
    const path = fileURLToPath(new URL(program, import.meta.url));
    // In a group of its own: what a terminal sends to the drill is no business of its.
    this.child = spawn("python3", [path, ...argv], { stdio: ["pipe", "pipe", "inherit"], detached: true });
    this.child.stdin.on("error", () => {}); // It may have been killed.
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    this.closed = once(this.child, "close");
  }

  /** Its next line. @throws when it has ended */
  async nextLine(): Promise<string> {
    const { done, value } = await this.lines.next();
    if (done) throw new Error(`${this.child.spawnargs.join(" ")} has ended`);
    return value;
  }

  /** All that it prints from now until it ends. */
  async remainingLines(): Promise<string[]> {
    const lines: string[] = [];
    for (let next = await this.lines.next(); !next.done; next = await this.lines.next())
      lines.push(next.value);
    return lines;
  }

  ask(line: string): Promise<string> {
    this.child.stdin.write(`${line}\n`);
    return this.nextLine();
  }

  /** Tells it to end, without waiting until it has. */
  endInput(): void {
    this.child.stdin.end();
  }

  async stop(): Promise<void> {
    this.endInput();
    await this.closed;
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.closed;
  }
}
