import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Violation } from "./checks/violation.ts";
import { Random } from "./core/random.ts";
import { ACTIONS } from "./faults/actions.ts";
import { Plan } from "./faults/plan.ts";
import type { Decision } from "./faults/plan.ts";
import { drawSettings } from "./world/settings.ts";
import { World } from "./world/world.ts";

/** Databases are small, and every call to the system is a real one: in memory it costs little. */
export const FOLDERS = "/dev/shm";
/** Of virtual time, from the end of the faults to one state everywhere. */
const CALM_MS = 180_000;
const MAX_CALM_STEPS = 60_000;
const TRACE_LINES = 40;
/** Of virtual time, from the last of a limited number of decisions to the end of the faults. */
const QUIET_MS = 5_000;

export interface RunOptions {
  readonly seed: string;
  readonly steps: number;
  readonly withoutFaults: boolean;
  /** Indices of decisions that are left out. */
  readonly omitted: readonly number[];
  /** At most the first so many decisions; undefined: as many as come in the steps. */
  readonly decisions: number | undefined;
  /** At most so many; undefined: as many as the seed says. */
  readonly replicas: number | undefined;
  readonly trace: (line: string) => void;
}

export interface RunResult {
  readonly seed: string;
  readonly steps: number;
  readonly virtualMs: number;
  readonly realMs: number;
  readonly digest: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly failure: { readonly invariant: string; readonly text: string; readonly step: number } | null;
  readonly lastLines: readonly string[];
  /** Decisions that were carried out: what a smaller run may leave out. */
  readonly decisions: readonly { readonly index: number; readonly kind: string }[];
}

/** One run: the same for the same options, whatever ran before. */
export async function run(options: RunOptions): Promise<RunResult> {
  const folder = mkdtempSync(join(tmpdir(), "run-"));
  try {
    return await new Run(options, folder).result();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

class Run {
  private readonly options: RunOptions;
  private readonly world: World;
  private readonly plan: Plan;
  private readonly lines: string[] = [];
  private readonly startMs = realNowMs();
  private steps = 0;
  private isCalm = false;
  private isOver = false;

  constructor(options: RunOptions, folder: string) {
    this.options = options;
    const { seed, replicas, withoutFaults, omitted, decisions = Number.POSITIVE_INFINITY } = options;
    const settings = drawSettings(new Random(`${seed}/settings`), { replicas });
    this.world = new World({ seed, settings, folder });
    const { tempoMs } = settings;
    this.plan = new Plan({
      seed,
      kinds: ACTIONS,
      tempoMs,
      withoutFaults,
      omitted: new Set(omitted),
      end: decisions,
    });
  }

  async result(): Promise<RunResult> {
    const { world } = this;
    world.start();
    this.decide();
    await this.advance(() => this.isOver || this.steps >= this.options.steps);
    if (world.failure === undefined) await this.calm();
    return this.report();
  }

  /** Events, one after the other, until it is done or has failed. */
  private async advance(isDone: () => boolean): Promise<void> {
    const { world } = this;
    while (world.failure === undefined && !isDone()) {
      const what = await world.step();
      if (what === undefined) throw new Error("nothing is left to happen");
      this.note(what);
      this.steps += 1;
    }
  }

  /** The next decision is due after its pause; and so on, for as long as there are faults. */
  private decide(): void {
    const decision = this.plan.next();
    if (decision === undefined) {
      this.world.after(QUIET_MS, "no more decisions", () => (this.isOver = true));
      return;
    }
    this.world.after(decision.delayMs, `decision ${decision.index}: ${decision.kind}`, () => {
      if (this.isCalm) return;
      this.world.counts.add("decisions");
      this.carryOut(decision);
      this.decide();
    });
  }

  private carryOut({ kind, random }: Decision): void {
    ACTIONS[kind]!.run(this.world, random);
  }

  /** All misfortune ends. Everything has to come to one state; then everything is stopped in order, and compared. */
  private async calm(): Promise<void> {
    const { world } = this;
    const { checks } = world;
    this.isCalm = true;
    world.guard(() => world.calm());
    let sinceMs = world.nowMs;
    let since = this.steps;
    const isOver = (): boolean => world.nowMs - sinceMs > CALM_MS || this.steps - since > MAX_CALM_STEPS;
    const isDone = (): boolean => checks.liveness.missing === undefined;
    await this.advance(() => isDone() || isOver());
    if (!isDone() && world.repairSpoilt()) {
      sinceMs = world.nowMs;
      since = this.steps;
      await this.advance(() => isDone() || isOver());
    }
    world.guard(() => {
      const { missing } = checks.liveness;
      if (missing !== undefined) checks.liveness.tooLate(missing, world.nowMs - sinceMs);
    });
    world.guard(() => world.close());
    const closedMs = world.nowMs;
    await this.advance(() => world.isClosed || world.nowMs - closedMs > CALM_MS);
    world.guard(() => {
      if (!world.isClosed) checks.liveness.tooLate("a node does not stop", world.nowMs - closedMs);
      checks.ended();
    });
  }

  private note(what: string): void {
    const line = `${this.steps} ${this.world.nowMs.toFixed(3)} ${what}`;
    this.options.trace(line);
    this.lines.push(line);
    if (this.lines.length > 2 * TRACE_LINES) this.lines.splice(0, TRACE_LINES);
  }

  private report(): RunResult {
    const { world, steps } = this;
    const { failure } = world;
    return {
      seed: this.options.seed,
      steps,
      virtualMs: Math.round(world.nowMs),
      realMs: Math.round(realNowMs() - this.startMs),
      digest: world.scheduler.digest,
      counts: world.counts.toJSON(),
      failure:
        failure === undefined
          ? null
          : {
              invariant: failure instanceof Violation ? failure.invariant : "Simulation",
              text: failure instanceof Violation ? failure.message : String(failure.stack),
              step: steps,
            },
      lastLines: this.lines.slice(-TRACE_LINES),
      decisions: this.plan.taken.map(({ index, kind }) => ({ index, kind })),
    };
  }
}

/** The simulation's process has no clock but a virtual one; this one tells how long a run takes. */
function realNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
