import type { LogCut, RepairPlan } from "../shared/examination/repair-plan.ts";
import { count, size, time } from "../shared/human.ts";

/** What a repair would do, and what it means, before anybody is asked. */
export function planText(folder: string, { cut, refusal, moves }: RepairPlan): string {
  const lines = [`${folder}:`];
  if (cut !== null) lines.push(...cutLines(cut));
  if (refusal !== null) lines.push(...refusalLines(refusal));
  for (const { files, why } of moves) lines.push(`  moved aside: ${files.join(", ")} (${why})`);
  return lines.join("\n");
}

function cutLines(cut: LogCut): readonly string[] {
  const { at, keptTxid, keptTimeMs, segments, bytes, lastTxid, firstTimeMs, lastTimeMs, isSure } = cut;
  const first = keptTxid + 1;
  const which =
    lastTxid === null || lastTxid === first ? `transaction ${first}` : `transactions ${first} to ${lastTxid}`;
  const more = lastTxid === null ? ", and what may have come after it" : "";
  const when =
    firstTimeMs === null || lastTimeMs === null
      ? "committed at a time that cannot be told"
      : `committed ${firstTimeMs === lastTimeMs ? `at ${time(firstTimeMs)}` : `from ${time(firstTimeMs)} to ${time(lastTimeMs)}`}`;
  return [
    `  cut from the log: ${size(bytes)} from segment ${at.segment}, offset ${at.offset}, on: ${which}${more}, ${when}`,
    ...segments.map(
      (part) => `    ${part.file}: ${part.isWhole ? "all" : "the last"} ${count(part.bytes)} bytes`,
    ),
    `  kept: everything up to transaction ${keptTxid}${keptTimeMs === null ? "" : `, committed at ${time(keptTimeMs)}`}`,
    "  The database itself is not touched. At its next start the primary logs all that the database has beyond the cut",
    "  as one transaction, and keeps its log. Replicas that are not past the cut go on; those that are past it compare",
    "  pages with the primary and go on by themselves.",
    ...(isSure
      ? []
      : [
          "  Whether the log can go on shows at that start: if not, a new one begins, as it would without this.",
        ]),
  ];
}

function refusalLines(refusal: string): readonly string[] {
  return [
    `  the log cannot be cut: ${refusal}`,
    "  Start the primary: it sets the damaged log aside and begins a new one; replicas compare pages and go on.",
  ];
}
