import type { RunOptions, RunResult } from "./run.ts";

/** What a run was, in a few lines. */
export function summaryText(result: RunResult): string {
  const { seed, steps, realMs, virtualMs, digest, counts } = result;
  const perSecond = Math.round(steps / (realMs / 1000));
  return [
    `seed ${seed}: ${steps} steps, ${perSecond} a second, ${(virtualMs / 1000).toFixed(1)} s of virtual time, digest ${digest}`,
    countsText(counts),
    "",
  ].join("\n");
}

/** Names and numbers, as many on a line as fit. */
export function countsText(counts: Readonly<Record<string, number>>): string {
  const lines: string[] = [""];
  for (const [what, count] of Object.entries(counts)) {
    const item = `${what} ${count}`;
    const line = lines.at(-1)!;
    if (line.length + item.length > 116) lines.push(item);
    else lines[lines.length - 1] = line === "" ? item : `${line} · ${item}`;
  }
  return lines.map((line) => `  ${line}`).join("\n");
}

/** The same in two lines. */
export function shortFailureText(options: RunOptions, { failure }: RunResult): string {
  const [first = ""] = failure?.text.split("\n") ?? [];
  return `FAILED seed ${options.seed}, step ${failure?.step}, invariant ${first}\n  again: ${commandText(options)}\n`;
}

/** Which promise was broken, how to see it again, and what came just before it. */
export function failureText(options: RunOptions, result: RunResult): string {
  const { failure, lastLines } = result;
  return [
    `FAILED seed ${options.seed}, step ${failure?.step}, invariant ${failure?.text}`,
    `again: ${commandText(options)}`,
    "last of its trace:",
    ...lastLines.map((line) => `  ${line}`),
    summaryText(result),
  ].join("\n");
}

/** The command that makes this run again. */
export function commandText({
  seed,
  steps,
  withoutFaults,
  omitted,
  replicas,
  decisions,
}: RunOptions): string {
  const flags = [
    `--seed ${seed} --steps ${steps}`,
    ...(withoutFaults ? ["--no-faults"] : []),
    ...(replicas === undefined ? [] : [`--replicas ${replicas}`]),
    ...(decisions === undefined ? [] : [`--decisions ${decisions}`]),
    ...(omitted.length === 0 ? [] : [`--omit ${rangesText(omitted)}`]),
  ];
  return `npm run sim -- ${flags.join(" ")}`;
}

/** `3-9,12`. */
export function rangesText(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of numbers.toSorted((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last !== undefined && number === last[1] + 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(",");
}
