import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Step } from "./target.ts";

const FOLDER = fileURLToPath(new URL("../corpus", import.meta.url));

/** An input that is tried again in every run. */
export interface KeptInput {
  readonly target: string;
  /** What had gone wrong with it, or why it is kept. */
  readonly why: string;
  readonly steps: readonly Step[];
}

export function keptInputs(target: string): readonly (KeptInput & { readonly file: string })[] {
  const folder = join(FOLDER, target);
  let names: string[];
  try {
    names = readdirSync(folder).toSorted();
  } catch {
    return [];
  }
  return names.map((name) => ({
    file: `${target}/${name}`,
    ...(JSON.parse(readFileSync(join(folder, name), "utf8")) as KeptInput),
  }));
}

/** @returns where it is kept, relative to the corpus */
export function keep(input: KeptInput): string {
  const text = `${JSON.stringify(input, null, 2)}\n`;
  const name = `${createHash("sha256").update(JSON.stringify(input.steps)).digest("hex").slice(0, 8)}.json`;
  mkdirSync(join(FOLDER, input.target), { recursive: true });
  writeFileSync(join(FOLDER, input.target, name), text);
  return `${input.target}/${name}`;
}
