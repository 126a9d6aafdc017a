import { setTimeout as pause } from "node:timers/promises";
import { Chance } from "../harness/seed.ts";
import { Cast } from "./cast.ts";
import { Guests } from "./guests.ts";
import { Operator } from "./operator.ts";
import type { Sample } from "./operator.ts";
import type { Journal } from "./journal.ts";
import type { SoakEvent } from "./journal.ts";
import type { Scene } from "./scene.ts";
import type { Script } from "./script.ts";

export interface SoakOptions {
  /** For the databases; they are several hundred MiB. */
  readonly folder: string;
  readonly scene: Scene;
  readonly script: Script;
  /** Asked before each look. */
  readonly isEnough: (second: number) => boolean;
  readonly seed: number;
  /** Takes all that is measured; also that of a soak that breaks. */
  readonly journal: Journal;
  /** Hears of everything at once, so that a soak that is broken off has told what it has seen. */
  readonly onLine: (line: Sample | SoakEvent) => void;
}

/**
 * Runs all processes until it is enough, looks at them all the time, and ends them.
 *
 * @throws when anything breaks: a process that ends, a node that does not answer, a read that is wrong, a replica that is not
 * in the end what the primary is
 */
export async function soak(options: SoakOptions): Promise<void> {
  const { folder, scene, script, isEnough, seed, journal, onLine } = options;
  await using cast = new Cast(folder, scene, script);
  await cast.start();
  const start = performance.now();
  const second = (): number => Math.round(performance.now() - start) / 1_000;
  const ended = new AbortController();
  const guests = new Guests(cast, script, new Chance(seed), (event) => {
    const line = { second: second(), event };
    journal.events.push(line);
    onLine(line);
  });
  const watch = async (): Promise<void> => {
    const operator = new Operator(cast, script);
    for (let round = 1; !isEnough(second()) && !ended.signal.aborted; round++) {
      for (const sample of await operator.look(second())) {
        journal.add(sample);
        onLine(sample);
      }
      const dueMs = start + round * script.sampleMs;
      await pause(Math.max(0, dueMs - performance.now()));
    }
  };
  // Whichever breaks ends the other.
  const end = (): void => ended.abort();
  await allOrFirstError([watch().finally(end), guests.comeAndGo(ended.signal).finally(end)]);
  await cast.end();
}

async function allOrFirstError(works: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(works)).find((work) => work.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
