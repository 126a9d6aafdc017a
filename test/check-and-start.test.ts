import { afterAll, beforeAll, expect, test } from "vitest";
import { asTailraceError } from "../shared/errors.ts";
import { examine } from "../shared/examination/examine.ts";
import type { Examination } from "../shared/examination/examine.ts";
import { holdForReading } from "../shared/examination/offline-folder.ts";
import { isNothing, planRepair } from "../shared/examination/repair-plan.ts";
import { driver } from "../shared/sqlite/node-sqlite.ts";
import { isWell } from "../src/commands/check.ts";
import { LeftBehind, NEXT_BOOT } from "./harness/left-behind.ts";
import { PRIMARY_STATES } from "./harness/primary-states.ts";
import { REPLICA_STATES } from "./harness/replica-states.ts";
import { startPrimaryHere, startReplicaHere } from "./harness/start-here.ts";
import type { Start } from "./harness/start-here.ts";
import { StoppedNodes } from "./harness/stopped-nodes.ts";

/*
 * `tailrace check` says what the next start does. Each state of a data folder here is examined, and then a node is started
 * on it. What a crash or a loss of power leaves is well, and nothing that is well needs a repair.
 */

const nodes = new StoppedNodes();
beforeAll(() => nodes.make());
afterAll(() => nodes.remove());

function examined(folder: string): Examination | string {
  using held = new DisposableStack();
  try {
    held.defer(holdForReading(folder, driver));
    return examine({ folder, isDeep: false, bootId: NEXT_BOOT, onProgress: () => {} });
  } catch (error) {
    return asTailraceError(error).code;
  }
}

function isRefusal({ outcome }: Start): boolean {
  return !["goes on", "resync", "bootstrap"].includes(outcome);
}

function readable(verdict: Examination | string): string {
  if (typeof verdict === "string") return verdict;
  return verdict.findings.map(({ severity, file, text }) => `${severity} ${file} ${text}`).join("\n");
}

test.each(PRIMARY_STATES)("a primary: %s", async (_what, spoil, verdict, expected) => {
  const place = new LeftBehind(nodes.primaryFile, nodes.primaryFile);
  const { logId } = place;
  spoil(place);

  const before = examined(place.dataDir);
  const start = await startPrimaryHere(place.file, place.dataDir, NEXT_BOOT);

  const said = `${readable(before)}\n${start.messages.join("\n")}`;
  const outcome = start.outcome === "goes on" && start.logId !== logId ? "begins a new log" : start.outcome;
  expect(outcome, said).toBe(expected);
  if (typeof before === "string") {
    expect([verdict, before]).toEqual(["refused", start.outcome]);
    return;
  }
  expect(isWell(before) ? "well" : "damaged", said).toBe(verdict);
  expect(before.isRefused, said).toBe(isRefusal(start));
  if (verdict === "well") expect(isNothing(planRepair(before)), "nothing to repair").toBe(true);
  if (start.outcome !== "goes on") return;
  const keeps = before.log !== null && before.log.damage === null;
  const isReplaced = before.findings.some(({ text }) => text.includes("is another file now"));
  if (!isReplaced) expect(outcome).toBe(keeps ? "goes on" : "begins a new log");
  if (outcome !== "goes on") return;
  const cut = start.messages.flatMap((text) => /^cut (\d+) bytes/.exec(text)?.[1] ?? []);
  expect(cut.map(Number)).toEqual([before.log?.tornBytes ?? 0].filter((bytes) => bytes > 0));
  const after = examined(place.dataDir) as Examination;
  const [now, then] = [after, before].map(({ generations }) =>
    generations.filter(({ info, verdict: claim }) => info !== undefined && claim !== "beyond"),
  );
  expect(now!.map(({ generation }) => generation)).toEqual(then!.map(({ generation }) => generation));
  expect(
    after.findings.filter(({ severity, file }) => severity === "damaged" && !/^(replicas|clean)/.test(file)),
  ).toEqual([]);
});

test.each(REPLICA_STATES)("a replica: %s", async (_what, spoil, verdict, expected) => {
  const place = new LeftBehind(nodes.replicaFile, nodes.primaryFile);
  spoil(place);
  const before = examined(place.dataDir);
  const start = await startReplicaHere(place.file, place.dataDir, NEXT_BOOT);

  const said = `${readable(before)}\n${start.messages.join("\n")}`;
  expect(start.outcome, said).toBe(expected);
  if (typeof before === "string") {
    expect([verdict, before]).toEqual(["refused", start.outcome]);
    return;
  }
  expect(isWell(before) ? "well" : "damaged", said).toBe(verdict);
  expect(before.isRefused, said).toBe(isRefusal(start));
  expect(isNothing(planRepair(before)), "nothing to repair").toBe(true);
  if (start.outcome === "goes on" && verdict === "well" && before.log !== null)
    expect(start.end).toEqual(before.log.end);
});
