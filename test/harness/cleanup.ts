import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NodeProcess } from "./node-process.ts";

/** A folder and processes that go when the story ends, however it ends. */
export class Cleanup {
  readonly folder: string = mkdtempSync(join(tmpdir(), "tailrace-test-"));
  private readonly processes: NodeProcess[] = [];

  owns<P extends NodeProcess>(process: P): P {
    this.processes.push(process);
    return process;
  }

  async run(): Promise<void> {
    for (const process of this.processes) if (process.isRunning) await process.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
