import type { Actor, Cast } from "./cast.ts";
import type { Figures } from "./measures.ts";
import { commitsOf, figuresOfFiles, figuresOfMetrics, textOf } from "./node-figures.ts";
import { ProcessGauge } from "./process-figures.ts";
import type { Script } from "./script.ts";

/** Guests have one line, whoever it is. */
export const GUEST = "guest";

export interface Sample {
  /** Since the first one. */
  readonly second: number;
  readonly process: string;
  readonly pid: number;
  readonly figures: Figures;
}

/** Looks at all processes as an operator and a monitoring do: at the machine's own figures, metrics, status and the page. */
export class Operator {
  private readonly cast: Cast;
  private readonly script: Script;
  private readonly gauges = new WeakMap<Actor, ProcessGauge>();
  private rounds = 0;
  private commits: { readonly count: number; readonly atMs: number } | undefined;

  constructor(cast: Cast, script: Script) {
    this.cast = cast;
    this.script = script;
  }

  /** @throws when one that stays does not answer */
  async look(second: number): Promise<readonly Sample[]> {
    const { actors } = this.cast;
    const isPageToo = this.rounds++ % this.script.samplesPerPage === 0;
    const looks = await Promise.allSettled(actors.map((actor) => this.figuresOf(actor, isPageToo)));
    return looks.flatMap((look, index) => {
      const { name, process, stays } = actors[index]!;
      if (look.status === "fulfilled")
        return [{ second, process: stays ? name : GUEST, pid: process.pid, figures: look.value }];
      if (stays) throw new Error(`${name} does not answer`, { cause: look.reason });
      return [];
    });
  }

  private async figuresOf(actor: Actor, isPageToo: boolean): Promise<Figures> {
    const { process, node } = actor;
    const gauge = this.gauges.get(actor) ?? new ProcessGauge(process.pid);
    this.gauges.set(actor, gauge);
    const figures = gauge.look(performance.now());
    if (node === null) return figures;
    const [metrics] = await Promise.all([
      textOf(`${node.url}/metrics`),
      textOf(`${node.url}/status`),
      ...(isPageToo ? [textOf(node.url)] : []),
    ]);
    return {
      ...figures,
      ...figuresOfFiles(node.database),
      ...figuresOfMetrics(metrics),
      ...(node.role === "primary" ? this.commitsPerSecond(commitsOf(metrics)) : {}),
    };
  }

  private commitsPerSecond(count: number): Figures {
    const before = this.commits;
    const atMs = performance.now();
    this.commits = { count, atMs };
    return before === undefined
      ? {}
      : { commitsPerSecond: ((count - before.count) * 1_000) / (atMs - before.atMs) };
  }
}
