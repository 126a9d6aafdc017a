import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { carryOut } from "../../../shared/examination/carry-out-repair.ts";
import { examine } from "../../../shared/examination/examine.ts";
import type { Examination } from "../../../shared/examination/examine.ts";
import { holdForReading } from "../../../shared/examination/offline-folder.ts";
import { isNothing, planRepair } from "../../../shared/examination/repair-plan.ts";
import { LogWriter } from "../../../shared/log/log-writer.ts";
import { driver } from "../../../shared/sqlite/node-sqlite.ts";
import { findingsText } from "../../../src/check-text.ts";
import { planText } from "../../../src/repair-text.ts";
import { changeFolder, filesIn, proposeFolder } from "../engine/folder-steps.ts";
import { must } from "../engine/target.ts";
import type { OpenTarget, Outcome, Target } from "../engine/target.ts";
import { PAGE_BYTES, checksumOf, copyFolder, formatOf, makePrimary, startPrimary } from "./data-folders.ts";

const DATA = "app.db-tailrace";

/** Whole data folders of a primary. */
export const folderTargets: readonly Target[] = [
  folderTarget("check-and-repair", 8, checkAndRepair),
  folderTarget("primary-log", 15, openLog),
  folderTarget("primary-folder", 8, startOn),
];

function folderTarget(
  name: string,
  shortRun: number,
  run: (home: string) => Outcome | Promise<Outcome>,
): Target {
  return {
    name,
    shortRun,
    maxMs: 4_000,
    async open(folder): Promise<OpenTarget> {
      const [sound, copy] = [join(folder, "sound"), join(folder, "copy")];
      mkdirSync(sound);
      await makePrimary(sound);
      return {
        propose: (chance) => proposeFolder(sound, formatOf, chance),
        run: async (steps) => {
          copyFolder(sound, copy);
          changeFolder(copy, formatOf, steps);
          return await run(copy);
        },
      };
    },
  };
}

function checkAndRepair(home: string): Outcome {
  const folder = join(home, DATA);
  const before = namesAndSizes(folder);
  const release = holdForReading(folder, driver);
  let found: Examination;
  try {
    found = examine({ folder, isDeep: true, onProgress: () => {} });
  } finally {
    release();
  }
  must(namesAndSizes(folder) === before, "a check has changed something");
  findingsText(found, (_format, text) => text);
  const plan = planRepair(found);
  planText(folder, plan);
  if (!isNothing(plan)) {
    carryOut(folder, plan, () => Date.now());
    const again = planRepair(examine({ folder, isDeep: true, onProgress: () => {} }));
    must(isNothing(again), `what was repaired is to be repaired again: ${JSON.stringify(again)}`);
  }
  return found.findings.some(({ severity }) => severity === "damaged") ? "refused" : "accepted";
}

function namesAndSizes(folder: string): string {
  return filesIn(folder)
    .map((name) => `${name} ${statSync(join(folder, name)).size} ${statSync(join(folder, name)).mtimeMs}`)
    .join("\n");
}

/** The log alone, as a start opens it: what is opened can be opened again, and is then the same. */
function openLog(home: string): Outcome {
  const meta = soundMeta(home);
  const options = {
    folder: join(home, DATA, "log"),
    logId: meta.logId,
    epoch: 1,
    pageSizeBytes: PAGE_BYTES,
    segmentSizeBytes: 16 << 10,
    durability: "os" as const,
    clock: () => Date.now(),
    initial: { txid: 0, checksum: 0n, pageCount: 0 },
  };
  const { log } = LogWriter.open(options);
  const [txid, checksum] = [log.headTxid, log.headChecksum];
  log.close();
  const { log: again, cut } = LogWriter.open(options);
  again.close();
  must(cut === undefined, "what was opened is cut when it is opened again");
  must(
    again.headTxid === txid && again.headChecksum === checksum,
    "what was opened is another when it is opened again",
  );
  return "accepted";
}

function soundMeta(home: string): { readonly logId: string } {
  return JSON.parse(readFileSync(join(home, "..", "sound", DATA, "meta.json"), "utf8")) as { logId: string };
}

/** Whatever log a primary goes on with, its head is the database. */
async function startOn(home: string): Promise<Outcome> {
  const started = await startPrimary(home);
  const file = join(home, "app.db");
  const database = new DatabaseSync(file);
  try {
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } finally {
    database.close();
  }
  must(!existsSync(`${file}-wal`) || statSync(`${file}-wal`).size === 0, "the WAL is not empty");
  const pages = Math.ceil(statSync(file).size / started.pageSizeBytes);
  must(pages === started.pageCount, "the log says another size than the database has");
  must(checksumOf(file) === started.checksum, "the log's head is not the database");
  must(started.tableChecksum === started.checksum, "the page table is not the database's");
  return started.logId === soundMeta(home).logId ? "accepted" : "refused";
}
