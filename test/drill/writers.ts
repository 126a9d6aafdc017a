import { PythonProcess } from "./python-process.ts";

const COMMITS_PER_SECOND = 25;

/** The applications that write the primary's database, whether Tailrace runs or not. */
export class Writers {
  private readonly file: string;
  private readonly journals: readonly string[];
  private processes: (PythonProcess | undefined)[] = [];
  private readonly outputs: Promise<readonly string[]>[] = [];
  private readonly errors: string[] = [];
  kills = 0;

  constructor(file: string, journals: readonly string[]) {
    this.file = file;
    this.journals = journals;
  }

  /** Starts those that do not run. */
  async start(): Promise<void> {
    for (const [id, journal] of this.journals.entries()) {
      if (this.processes[id] !== undefined) continue;
      const argv = [this.file, journal, String(id), String(COMMITS_PER_SECOND)];
      const writer = new PythonProcess("writer.py", argv);
      this.processes[id] = writer;
      if ((await writer.nextLine()) !== "writing") throw new Error(`writer ${id} does not write`);
      this.outputs.push(writer.remainingLines());
    }
  }

  pid(id: number): number {
    return this.processes[id]!.child.pid!;
  }

  get count(): number {
    return this.journals.length;
  }

  async kill(id: number): Promise<void> {
    await this.processes[id]?.kill();
    this.processes[id] = undefined;
    this.kills += 1;
  }

  /** Lets each finish its commit. */
  async stop(): Promise<void> {
    const running = this.processes.splice(0).filter((writer) => writer !== undefined);
    await Promise.all(running.map((writer) => writer.stop()));
    this.errors.push(...(await Promise.all(this.outputs.splice(0))).flat());
  }

  /** The errors that any of those that have been stopped or killed has met, since this was asked last. */
  takeErrors(): string[] {
    return this.errors.splice(0);
  }
}
