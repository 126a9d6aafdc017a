import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Readable, Writable } from "node:stream";

const PROGRAM = fileURLToPath(new URL("../programs/watch-invariant.py", import.meta.url));

/** The table that {@link Watcher} reads: 200 rows over many pages, which each commit changes together. */
export const CREATE_SPREAD = `
  CREATE TABLE spread(id INTEGER PRIMARY KEY, n INT, pad BLOB);
  WITH RECURSIVE i(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM i WHERE id < 200)
    INSERT INTO spread SELECT id, 0, randomblob(300) FROM i;`;
export const STEP_SPREAD = "UPDATE spread SET n = n + 1, pad = randomblob(300)";

export interface Watched {
  readonly reads: number;
  /** The last n seen. */
  readonly last: number;
  /** How many different n were seen. */
  readonly states: number;
  /** null, or what was seen that never may be. */
  readonly problem: string | null;
}

/** A reader in another process and another SQLite library (Python's), watching the table `spread`. */
export class Watcher {
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private output = "";

  private constructor(file: string, mayStepBack: boolean) {
    this.child = spawn("python3", [PROGRAM, file, ...(mayStepBack ? ["may-step-back"] : [])], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.child.stdout.setEncoding("utf8").on("data", (text: string) => (this.output += text));
  }

  /** Resolves after its first read. */
  static async start(
    file: string,
    { mayStepBack = false }: { readonly mayStepBack?: boolean } = {},
  ): Promise<Watcher> {
    const watcher = new Watcher(file, mayStepBack);
    await Promise.race([once(watcher.child.stdout, "data"), once(watcher.child, "close")]);
    return watcher;
  }

  async stop(): Promise<Watched> {
    const closed = this.child.exitCode === null ? once(this.child, "close") : undefined;
    this.child.stdin.on("error", () => {}).end();
    await closed;
    return JSON.parse(this.output.trim().split("\n").at(-1) ?? "") as Watched;
  }
}
