import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const CLI = fileURLToPath(new URL("../../src/cli.ts", import.meta.url));
const ANY_URL = /http:\/\/127\.0\.0\.1:\d+/g;
const START_LIMIT_MS = 20_000;

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** The command line's module, where it is not this checkout's. */
  readonly cli?: string;
  /** What runs the program, where it is not this Node. */
  readonly interpreter?: string;
}

/** A process of this checkout, its output collected, its waits bounded. */
export class NodeProcess {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  private output = "";
  private hasExited = false;
  private readonly wakers = new Set<() => void>();

  constructor(
    modulePath: string,
    argv: readonly string[],
    { env = {}, interpreter = process.execPath }: StartOptions = {},
  ) {
    this.child = spawn(interpreter, [modulePath, ...argv], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
        this.wake();
      });
    this.child.stdin.on("error", () => {}); // It may be gone already: that is what crash tests are about.
    this.exited = once(this.child, "close").then(([code, signal]: unknown[]) => {
      this.hasExited = true;
      this.wake();
      return { code: code as number | null, signal: signal as string | null };
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  get isRunning(): boolean {
    return !this.hasExited;
  }

  /** All that the process has printed, on both streams. */
  get text(): string {
    return this.output;
  }

  /**
   * The first match in what it printed, from `from` on; waits for it.
   * @throws when the process ends first, or the limit runs out; the message has the output
   */
  async waitFor(pattern: RegExp, limitMs: number = START_LIMIT_MS, from = 0): Promise<RegExpExecArray> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const match = pattern.exec(this.output.slice(from));
      if (match !== null) return match;
      if (this.hasExited) throw new Error(`ended before it printed ${pattern}:\n${this.output}`);
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new Error(`did not print ${pattern} in ${limitMs} ms:\n${this.output}`);
      await this.somethingNew(leftMs);
    }
  }

  send(line: string): void {
    this.child.stdin.write(`${line}\n`);
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<{ code: number | null; signal: string | null }> {
    this.child.kill(signal);
    return await this.exited;
  }

  /** SIGTERM, as an operator ends it. @throws when it does not end by itself with exit code 0 */
  async stop(limitMs: number = START_LIMIT_MS): Promise<void> {
    if (this.hasExited) throw new Error(`had ended before it was told to:\n${this.output}`);
    this.child.kill("SIGTERM");
    const ending = await Promise.race([this.exited, pause(limitMs, undefined, { ref: false })]);
    if (ending === undefined) {
      await this.kill();
      throw new Error(`did not end within ${limitMs} ms of SIGTERM:\n${this.output}`);
    }
    if (ending.code !== 0) throw new Error(`ended with ${ending.code ?? ending.signal}:\n${this.output}`);
  }

  private wake(): void {
    for (const waker of this.wakers) waker();
    this.wakers.clear();
  }

  private somethingNew(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.wakers.add(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

/** A serving node started by the command line, as a user would. */
export class ServingProcess extends NodeProcess {
  url = "";

  /** @param argv after `tailrace`; `--port 0` is added where no port is given */
  static async start(argv: readonly string[], options: StartOptions = {}): Promise<ServingProcess> {
    const serving = ServingProcess.launch(argv, options);
    await serving.ready();
    return serving;
  }

  /** Starts without waiting: for a process that is meant to die on its way up. */
  static launch(argv: readonly string[], options: StartOptions = {}): ServingProcess {
    return new ServingProcess(
      options.cli ?? CLI,
      argv.includes("--port") ? argv : [...argv, "--port", "0"],
      options,
    );
  }

  /** Waits until it has named its address. */
  async ready(limitMs: number = START_LIMIT_MS): Promise<void> {
    const others = this.child.spawnargs.flatMap((text) => text.match(ANY_URL) ?? []);
    const known = others.map((text) => `(?!${text}\\b)`).join("");
    const [url] = await this.waitFor(new RegExp(`${known}http://127\\.0\\.0\\.1:\\d+(?=\\D)`), limitMs);
    this.url = url;
  }

  get port(): string {
    return new URL(this.url).port;
  }

  async status(): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.url}/status`, { signal: AbortSignal.timeout(5_000) });
    return (await response.json()) as Record<string, unknown>;
  }

  /** The newest durable transaction of its log, as every answer says. */
  async headTxid(): Promise<number> {
    const response = await fetch(`${this.url}/wal?segment=1&offset=0&max_bytes=1`, {
      signal: AbortSignal.timeout(5_000),
    });
    await response.arrayBuffer();
    return Number(response.headers.get("wal-head-txid") ?? Number.NaN);
  }
}

/** Asks again and again, with growing pauses, until the answer satisfies. @throws at the limit, with the last answer */
export async function until<T>(
  what: string,
  ask: () => Promise<T> | T,
  isGood: (answer: T) => boolean,
  limitMs = 15_000,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  let last: unknown;
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 1.5, 100)) {
    try {
      const answer = await ask();
      if (isGood(answer)) return answer;
      last = JSON.stringify(answer);
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline)
      throw new Error(`${what}: not so within ${limitMs} ms; last: ${String(last)}`);
    await pause(pauseMs);
  }
}
