import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";

const FILE = new URL("baselines.json", import.meta.url);

/** What was recorded, and where. Instructions are the same elsewhere; time is not. */
export interface Baselines {
  readonly node: string;
  readonly processor: string;
  /** By the name of the question. */
  readonly ratios: Readonly<Record<string, number>>;
}

/** What a record of now is headed with. */
export function thisMachine(): Omit<Baselines, "ratios"> {
  return { node: process.version, processor: cpus()[0]?.model ?? "unknown" };
}

export function readBaselines(): Baselines {
  return JSON.parse(readFileSync(FILE, "utf8")) as Baselines;
}

export function writeBaselines(baselines: Baselines): void {
  writeFileSync(FILE, `${JSON.stringify(baselines, null, 2)}\n`);
}
