import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../programs/step-writer.py", import.meta.url));

/** Python's sqlite3 as the application that writes the primary's database, whether Tailrace runs or not. */
export class StepWriter {
  private readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  private output = "";

  private constructor(file: string, commitsPerSecond: number) {
    this.child = spawn("python3", [PROGRAM, file, String(commitsPerSecond)], { stdio: "pipe" });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (this.output += text));
  }

  /** Resolves when the table is there and it has begun to write. */
  static async start(file: string, commitsPerSecond: number): Promise<StepWriter> {
    const writer = new StepWriter(file, commitsPerSecond);
    await Promise.race([once(writer.child.stdout, "data"), once(writer.child, "close")]);
    if (!writer.output.startsWith("writing")) throw new Error(`writer did not start: ${writer.output}`);
    return writer;
  }

  /** @returns the last step that it committed @throws when it met any error while it wrote */
  async stop(): Promise<number> {
    const closed = this.child.exitCode === null ? once(this.child, "close") : undefined;
    this.child.stdin.on("error", () => {}).end();
    await closed;
    if (this.child.exitCode !== 0) throw new Error(`the application was disturbed: ${this.output}`);
    return (JSON.parse(this.output.trim().split("\n").at(-1) ?? "") as { n: number }).n;
  }
}
