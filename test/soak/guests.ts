import { rmSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { Chance } from "../harness/seed.ts";
import type { ServingProcess } from "../harness/node-process.ts";
import { END_LIMIT_MS } from "./cast.ts";
import type { Cast } from "./cast.ts";
import type { Script } from "./script.ts";

/** How a guest goes, and what becomes of it. */
const FATES = [
  "returns",
  "returns late",
  "is killed and returns",
  "is killed and is gone",
  "is gone",
] as const;
const SOURCES = ["primary", "relay"] as const;

/**
 * Replicas that come and go, one after the other, until the signal: new ones bootstrap, are ended or killed, come back at once
 * or when their log is held no longer, or never.
 */
export class Guests {
  private readonly cast: Cast;
  private readonly script: Script;
  private readonly chance: Chance;
  private readonly tell: (event: string) => void;
  private count = 0;

  constructor(cast: Cast, script: Script, chance: Chance, tell: (event: string) => void) {
    this.cast = cast;
    this.script = script;
    this.chance = chance;
    this.tell = tell;
  }

  /** @throws when one does not become ready, or does not end as it should */
  async comeAndGo(signal: AbortSignal): Promise<void> {
    do await this.visit(signal);
    while (!signal.aborted);
  }

  private async visit(signal: AbortSignal): Promise<void> {
    this.count += 1;
    const name = `guest-${this.count}`;
    const fate = this.oneOf(FATES);
    const source = this.oneOf(SOURCES);
    await this.stay(name, source, fate.includes("killed"), signal);
    if (!fate.endsWith("gone") && !signal.aborted) {
      const awaySeconds = fate === "returns late" ? this.script.longAwaySeconds : this.someSeconds();
      await this.wait(awaySeconds, signal);
      await this.stay(name, source, false, signal);
    }
    // A folder of its own for each, that nobody comes back to.
    const database = this.cast.databaseOf(name);
    for (const end of ["", "-wal", "-shm", "-tailrace"])
      rmSync(`${database}${end}`, { recursive: true, force: true });
    await this.wait(this.someSeconds(), signal);
  }

  private async stay(name: string, source: string, isKilled: boolean, signal: AbortSignal): Promise<void> {
    this.tell(`${name} comes, fed by ${source}`);
    const { process } = await this.cast.startReplica(name, source, false);
    await this.wait(this.someSeconds(), signal);
    this.cast.leave(name);
    if (isKilled) await process.kill();
    else await (process as ServingProcess).stop(END_LIMIT_MS);
    this.tell(`${name} ${isKilled ? "is killed" : "goes"}`);
  }

  private someSeconds(): number {
    const [least, most] = this.script.guestSeconds;
    return least + this.chance.next() * (most - least);
  }

  private oneOf<T>(choices: readonly T[]): T {
    return choices[this.chance.integer(0, choices.length - 1)]!;
  }

  private async wait(seconds: number, signal: AbortSignal): Promise<void> {
    await pause(seconds * 1_000, undefined, { signal }).catch(() => undefined);
  }
}
