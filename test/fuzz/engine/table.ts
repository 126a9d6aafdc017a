import { formatTable } from "../../../bench/harness/result.ts";
import type { Counts } from "./run.ts";

/** What was tried, target by target. */
export function tableOf(counts: readonly Counts[]): string {
  const rows = [...Map.groupBy(counts, ({ target }) => target)].map(([target, parts]) => {
    const [accepted, refused, wrong, ms] = [
      sum(parts.map((part) => part.accepted)),
      sum(parts.map((part) => part.refused)),
      sum(parts.map((part) => part.wrong)),
      sum(parts.map((part) => part.ms)),
    ];
    const inputs = accepted + refused + wrong;
    const perSecond = Math.round((inputs / Math.max(ms, 1)) * 1000);
    return { target, inputs, "a second": perSecond, accepted, refused, wrong };
  });
  const total = {
    target: "total",
    inputs: sum(rows.map(({ inputs }) => inputs)),
    wrong: sum(rows.map(({ wrong }) => wrong)),
  };
  return formatTable([...rows, total]);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
