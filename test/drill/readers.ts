import type { DrillNode } from "./drill-node.ts";
import { PythonProcess } from "./python-process.ts";

/** The longest that the readers with long transactions hold one. */
const HOLD_SECONDS = 1.5;
const LOOKS_AFTER = 2;
/** To one whose looks all fail. */
const MAX_QUESTIONS = 200;

/** What readers saw since they were asked last. */
export interface Seen {
  readonly looks: number;
  /** States that no commit has made. */
  readonly torn: readonly string[];
  /** States older than the one before. */
  readonly back: readonly string[];
  /** Reads that SQLite refused: no file, no table, busy. */
  readonly failed: readonly string[];
}

/** Two readers of each database: one of short looks, one of long transactions. */
export class Readers {
  private readonly nodes: readonly DrillNode[];
  private readonly processes = new Map<DrillNode, PythonProcess[]>();

  constructor(nodes: readonly DrillNode[]) {
    this.nodes = nodes;
  }

  /** Starts those that do not run. */
  async start(): Promise<void> {
    for (const node of this.nodes) {
      if (this.processes.has(node)) continue;
      const readers = [0, HOLD_SECONDS].map(
        (seconds) => new PythonProcess("reader.py", [node.file, "0", String(seconds)]),
      );
      this.processes.set(node, readers);
      for (const reader of readers) await reader.nextLine();
    }
  }

  /** Ends those of one node, or all. What they have seen since they were asked last is not told. */
  async stop(only?: DrillNode): Promise<void> {
    for (const [node, readers] of this.processes) {
      if (only !== undefined && node !== only) continue;
      this.processes.delete(node);
      await Promise.all(readers.map((reader) => reader.stop()));
    }
  }

  /** What they saw, each with the name of its node, up to a look that has begun after this was called. */
  async report(): Promise<Seen> {
    const reports: Seen[] = [];
    for (const [{ name }, readers] of this.processes)
      for (const reader of readers) {
        const { looks, torn, back, failed } = merged(await reportsOf(reader));
        const named = (texts: readonly string[]): string[] => texts.map((text) => `${name}: ${text}`);
        reports.push({ looks, torn: named(torn), back: named(back), failed: named(failed) });
      }
    return merged(reports);
  }
}

/** A question ends a look that is held open. So the second look to end after the first answer has begun after it. */
async function reportsOf(reader: PythonProcess): Promise<Seen[]> {
  const ask = async (): Promise<Seen> => JSON.parse(await reader.ask("report")) as Seen;
  const reports = [await ask()];
  for (let looks = 0; looks < LOOKS_AFTER && reports.length < MAX_QUESTIONS;) {
    const report = await ask();
    reports.push(report);
    looks += report.looks;
  }
  return reports;
}

function merged(reports: readonly Seen[]): Seen {
  return {
    looks: reports.reduce((sum, { looks }) => sum + looks, 0),
    torn: reports.flatMap(({ torn }) => torn),
    back: reports.flatMap(({ back }) => back),
    failed: reports.flatMap(({ failed }) => failed),
  };
}
