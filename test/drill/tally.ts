import { median } from "../../bench/harness/result.ts";
import type { Exercise } from "./exercise.ts";
import type { Settled } from "./settling.ts";

interface Counts {
  cycles: number;
  kills: number;
  acknowledged: number;
  found: number;
  lost: number;
  torn: number;
  back: number;
  resyncs: number;
  readonly seconds: number[];
}

type Row = Readonly<Record<string, string | number>>;

/** What each exercise came to, for the table at the end. */
export class Tally {
  private readonly exercises = new Map<string, Counts>();

  add(
    { name }: Exercise,
    settled: Settled,
    { kills, resyncs }: { readonly kills: number; readonly resyncs: number },
  ): void {
    const counts = this.exercises.get(name) ?? none();
    this.exercises.set(name, counts);
    addTo(counts, {
      ...settled,
      cycles: 1,
      kills,
      resyncs,
      torn: settled.seen.torn.length,
      back: settled.seen.back.length,
      seconds: [settled.seconds],
    });
  }

  /** One for each exercise, and one for all. */
  rows(): Row[] {
    const all = none();
    for (const counts of this.exercises.values()) addTo(all, counts);
    return [...this.exercises, ["all", all] as const].map(([name, counts]) => rowOf(name, counts));
  }
}

function none(): Counts {
  return {
    cycles: 0,
    kills: 0,
    acknowledged: 0,
    found: 0,
    lost: 0,
    torn: 0,
    back: 0,
    resyncs: 0,
    seconds: [],
  };
}

function addTo(sum: Counts, { seconds, lost, ...more }: Counts): void {
  for (const key of ["cycles", "kills", "acknowledged", "found", "torn", "back", "resyncs"] as const)
    sum[key] += more[key];
  // What was lost once is missing ever after.
  sum.lost = Math.max(sum.lost, lost);
  sum.seconds.push(...seconds);
}

function rowOf(name: string, counts: Counts): Row {
  return {
    exercise: name,
    cycles: counts.cycles,
    kills: counts.kills,
    acknowledged: counts.acknowledged,
    found: counts.found,
    lost: counts.lost,
    torn: counts.torn,
    "step backs": counts.back,
    resyncs: counts.resyncs,
    "settled s p50": inTenths(median(counts.seconds)),
    worst: inTenths(Math.max(...counts.seconds)),
  };
}

/** Of none there is no median, and no worst. */
function inTenths(seconds: number): string {
  return Number.isFinite(seconds) ? seconds.toFixed(1) : "–";
}
