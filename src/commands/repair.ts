import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { carryOut } from "../../shared/examination/carry-out-repair.ts";
import { examine } from "../../shared/examination/examine.ts";
import type { Examination } from "../../shared/examination/examine.ts";
import { findDataFolder, holdForReading } from "../../shared/examination/offline-folder.ts";
import { isNothing, planRepair } from "../../shared/examination/repair-plan.ts";
import type { RepairPlan } from "../../shared/examination/repair-plan.ts";
import { TailraceError } from "../../shared/errors.ts";
import { loadDriver } from "../../shared/sqlite/driver.ts";
import { DataFolder } from "../../shared/storage/data-folder.ts";
import { operand } from "../command.ts";
import type { Call } from "../command.ts";
import { EXIT_DONE, EXIT_NOT_AS_IT_SHOULD } from "../exit-code.ts";
import { planText } from "../repair-text.ts";
import type { RepairSettings } from "../configuration/local-settings.ts";
import { isWell, progressTo } from "./check.ts";

/** What {@link ../commands.ts} says of `repair`. */
export async function run(call: Call<RepairSettings>): Promise<number> {
  const { output, settings } = call;
  const folder = findDataFolder(operand(call, 0));
  const driver = await loadDriver("node:sqlite");
  // Until it is agreed that something is to change, nothing does: no more than what check holds.
  let letGo = holdForReading(folder, driver);
  try {
    const seen = stampOf(folder);
    const examination = examine({ folder, isDeep: settings.deep, onProgress: progressTo(output) });
    const plan = planRepair(examination);
    if (isNothing(plan)) return sayNothing(call, examination, plan);
    if (!output.isJson) output.raw(`${planText(folder, plan)}\n`);
    const isAgreed = settings.yes || (await ask());
    if (!isAgreed) {
      output.data({ folder, plan, isDone: false, keptIn: null }, "nothing was changed");
      return EXIT_NOT_AS_IT_SHOULD;
    }
    letGo();
    const held = DataFolder.open(folder, driver);
    letGo = () => held.close();
    if (stampOf(folder) !== seen) throw changed(folder);
    const keptIn = carryOut(folder, plan, Date.now);
    output.data({ folder, plan, isDone: true, keptIn }, `done; what was taken away is in ${keptIn}`);
    return plan.refusal === null ? EXIT_DONE : EXIT_NOT_AS_IT_SHOULD;
  } finally {
    letGo();
  }
}

/** What changes when a node runs on the folder, were it for a moment only. */
function stampOf(folder: string): string {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).toSorted();
  return files
    .filter((name) => !name.startsWith("lock.db"))
    .map((name) => {
      const { size, mtimeNs, isDirectory } = statOf(join(folder, name));
      return isDirectory ? name : `${name} ${size} ${mtimeNs}`;
    })
    .join("\n");
}

function statOf(path: string): {
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly isDirectory: boolean;
} {
  // A link that leads nowhere is as it was as well.
  const stats = lstatSync(path, { bigint: true });
  return { size: stats.size, mtimeNs: stats.mtimeNs, isDirectory: stats.isDirectory() };
}

function changed(folder: string): TailraceError {
  return new TailraceError("data_folder_in_use", `${folder} has changed since it was examined`, {
    retryable: true,
    hint: "A node ran on it meanwhile. Look at it again with tailrace check.",
  });
}

function sayNothing({ output }: Call<RepairSettings>, examination: Examination, plan: RepairPlan): number {
  const { folder, role, isRefused } = examination;
  const mendsItself = role === "replica" && !isRefused;
  const document = { folder, plan, isDone: false, keptIn: null };
  if (plan.refusal !== null) {
    output.data(document, planText(folder, plan));
    return EXIT_NOT_AS_IT_SHOULD;
  }
  if (isWell(examination)) output.data(document, `${folder}: nothing to repair`);
  else if (mendsItself)
    output.data(
      document,
      `${folder}: nothing to repair: a replica mends itself. Start it; what is damaged it fetches again.`,
    );
  else
    output.data(
      document,
      `${folder}: nothing that repair can mend. tailrace check says what is damaged, and what to do.`,
    );
  return isWell(examination) || mendsItself ? EXIT_DONE : EXIT_NOT_AS_IT_SHOULD;
}

/** @throws invalid_configuration where nobody can be asked */
async function ask(): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new TailraceError("invalid_configuration", "nothing was changed: there is no terminal to ask on", {
      hint: "Read what would be done, then give --yes.",
    });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  terminal.on("close", () => resolve(""));
  try {
    const answer = await Promise.race([terminal.question("Do this? yes or no: "), ended]);
    return answer.trim().toLowerCase() === "yes";
  } finally {
    terminal.close();
  }
}
