import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ServeReport } from "./engine.ts";
import { REPORT_MS, Reporter } from "./reporter.ts";
import { Sightings } from "./sightings.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A reporter with sightings, before an engine that notes when it hears what. */
class World {
  readonly heard: { readonly atMs: number; readonly ids: readonly string[] }[] = [];
  readonly sightings: Sightings;
  readonly reporter: Reporter;
  held: readonly number[] = [];
  isEngineGone = false;
  /** What the engine does with a report. */
  engine: (report: ServeReport) => Promise<void> = async () => {};
  private readonly startMs = Date.now();

  constructor() {
    this.sightings = new Sightings({
      clock: Date.now,
      maxReplicas: 100_000,
      onChange: (isNew) => this.reporter.changed(isNew),
    });
    this.reporter = new Reporter({
      takeChanged: () => this.sightings.takeChanged(),
      giveBack: (taken) => this.sightings.giveBack(taken),
      heldGenerations: () => this.held,
      isEngineGone: () => this.isEngineGone,
      clock: Date.now,
      send: (report) => {
        const ids = report.sightings.map(({ id }) => id);
        this.heard.push({ atMs: Date.now() - this.startMs, ids });
        return this.engine(report);
      },
    });
  }

  ask(...ids: string[]): void {
    const request = { address: null, cursor: { segment: 1, offset: 80 }, appliedTxid: null };
    for (const id of ids) this.sightings.asked(id, request)();
  }
}

test("new ones at once and together, the rest no more often than every 250 ms, and nothing while nothing changes", async () => {
  const world = new World();
  world.ask("a", "b");
  await vi.advanceTimersByTimeAsync(10);
  world.ask("a");
  await vi.advanceTimersByTimeAsync(100);
  world.ask("b");
  await vi.advanceTimersByTimeAsync(1000);
  expect(world.heard).toEqual([
    { atMs: 0, ids: ["a", "b"] },
    { atMs: 10 + REPORT_MS, ids: ["a", "b"] },
  ]);
  expect(vi.getTimerCount()).toBe(0);
});

test("however many requests a second, it stays at four reports", async () => {
  const world = new World();
  for (let ms = 0; ms < 2000; ms++) {
    world.ask("a", "b", "c");
    await vi.advanceTimersByTimeAsync(1);
  }
  expect(world.heard.length).toBeLessThanOrEqual(9);
});

test("large reports come less often", async () => {
  const world = new World();
  const ids = Array.from({ length: 4000 }, (_, index) => `r${index}`);
  world.ask(...ids);
  await vi.advanceTimersByTimeAsync(0);
  world.ask(...ids);
  await vi.advanceTimersByTimeAsync(5000);
  expect(world.heard.map(({ atMs }) => atMs)).toEqual([0, 1000]);
});

test("a question takes along what there is to tell: no report comes after it", async () => {
  const world = new World();
  world.ask("a");
  const told = await world.reporter.along(async ({ sightings }) => sightings.length);
  expect(told).toBe(1);
  await vi.advanceTimersByTimeAsync(1000);
  expect(world.heard).toEqual([]);
});

test("an engine that hangs is not buried: one report waits, and the next one tells all that came since", async () => {
  const world = new World();
  const hanging = Promise.withResolvers<void>();
  world.engine = () => hanging.promise;
  world.ask("a");
  await vi.advanceTimersByTimeAsync(0);
  const sinceMs = Date.now();
  for (const id of ["b", "c", "d"]) {
    world.ask(id);
    await vi.advanceTimersByTimeAsync(10_000);
  }
  expect(world.heard).toHaveLength(1);
  expect(world.reporter.pendingSinceMs).toBe(sinceMs);
  world.engine = async () => {};
  hanging.resolve();
  await vi.advanceTimersByTimeAsync(0);
  expect(world.heard.at(-1)?.ids).toEqual(["b", "c", "d"]);
  expect(world.heard).toHaveLength(2);
  expect(world.reporter.pendingSinceMs).toBeUndefined();
});

test("what an engine refuses is told again until it takes it; one that is gone is left alone", async () => {
  const world = new World();
  world.engine = () => Promise.reject(new Error("not open yet"));
  world.ask("a");
  await vi.advanceTimersByTimeAsync(2 * REPORT_MS);
  expect(world.heard.map(({ ids }) => ids)).toEqual([["a"], ["a"], ["a"]]);
  world.isEngineGone = true;
  await vi.advanceTimersByTimeAsync(REPORT_MS);
  expect(vi.getTimerCount()).toBe(0);
});
