import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NodeProcess, ServingProcess, until } from "../../test/harness/node-process.ts";
import type { StartOptions } from "../../test/harness/node-process.ts";

/** A folder and the processes of one benchmark; all of it goes at the end, whatever happens. */
export class Workspace implements AsyncDisposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "tailrace-bench-"));
  private readonly processes: NodeProcess[] = [];

  path(name: string): string {
    return join(this.folder, name);
  }

  async serve(argv: readonly string[], options: StartOptions = {}): Promise<ServingProcess> {
    const serving = await this.launch(argv, options);
    await until(
      `${serving.url}/readyz`,
      () => fetch(`${serving.url}/readyz`),
      ({ ok }) => ok,
      120_000,
    );
    return serving;
  }

  /** Waits for its address alone: what it has to catch up with may be what is measured. */
  async launch(argv: readonly string[], options: StartOptions = {}): Promise<ServingProcess> {
    const serving = ServingProcess.launch(argv, options);
    this.processes.push(serving);
    await serving.ready();
    return serving;
  }

  /** A program of bench/programs. */
  program(name: string, argv: readonly (string | number)[]): NodeProcess {
    const path = new URL(`../programs/${name}.ts`, import.meta.url).pathname;
    const started = new NodeProcess(path, argv.map(String));
    this.processes.push(started);
    return started;
  }

  /** For helpers that are not node. */
  onDispose(dispose: () => Promise<void> | void): void {
    this.disposers.push(dispose);
  }

  private readonly disposers: (() => Promise<void> | void)[] = [];

  async [Symbol.asyncDispose](): Promise<void> {
    for (const started of this.processes) if (started.isRunning) await started.kill();
    for (const dispose of this.disposers) await dispose();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Runs a command and says how long it took. */
export function timeCommand(command: string, argv: readonly string[]): number {
  const start = performance.now();
  execFileSync(command, argv, { stdio: ["ignore", "ignore", "inherit"] });
  return (performance.now() - start) / 1000;
}

/** Writes what is dirty to disk now, so that one measurement does not pay for another's writes. */
export function settleDisk(): void {
  execFileSync("sync");
}
