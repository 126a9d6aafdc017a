import { MEASURES, MEASURE_NAMES } from "./measures.ts";
import type { MeasureName } from "./measures.ts";
import { GUEST } from "./operator.ts";
import type { Sample } from "./operator.ts";
import { judge } from "./verdict.ts";
import type { Judgement, Limits, Series } from "./verdict.ts";

/** Something that happened: a guest came, a guest went. */
export interface SoakEvent {
  readonly second: number;
  readonly event: string;
}

/** A measure of a process, and what is found of it. */
export interface Finding extends Judgement {
  readonly process: string;
  readonly measure: MeasureName;
  readonly limits: Limits;
}

/** Those whose growth is nobody's but their own. */
const UNJUDGED: ReadonlySet<string> = new Set([GUEST, "writer", "reader"]);

/** All that was measured, by process and measure. */
export class Journal {
  readonly events: SoakEvent[] = [];
  private readonly byProcess = new Map<string, Map<MeasureName, { seconds: number[]; values: number[] }>>();

  add({ second, process, figures }: Sample): void {
    const measures =
      this.byProcess.get(process) ?? new Map<MeasureName, { seconds: number[]; values: number[] }>();
    this.byProcess.set(process, measures);
    for (const [name, value] of Object.entries(figures) as [MeasureName, number][]) {
      const series = measures.get(name) ?? { seconds: [], values: [] };
      measures.set(name, series);
      series.seconds.push(second);
      series.values.push(value);
    }
  }

  get processes(): readonly string[] {
    return [...this.byProcess.keys()];
  }

  series(process: string, measure: MeasureName): Series | undefined {
    return this.byProcess.get(process)?.get(measure);
  }

  /** What is found of each measure that has limits, of each node that stays. */
  judge(warmUpSeconds: number): readonly Finding[] {
    return this.processes
      .filter((process) => !UNJUDGED.has(process))
      .flatMap((process) =>
        MEASURE_NAMES.flatMap((measure) => {
          const { limits } = MEASURES[measure];
          const series = this.series(process, measure);
          if (limits === null || series === undefined) return [];
          return [{ process, measure, limits, ...judge(series, limits, warmUpSeconds) }];
        }),
      );
  }
}
