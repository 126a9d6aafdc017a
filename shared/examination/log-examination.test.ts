import { ftruncateSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { History } from "../../test/harness/history.ts";
import { SEGMENT_HEADER_BYTES } from "../format/segment.ts";
import { DamagedLogError } from "../log/damaged-log-error.ts";
import { LogWriter } from "../log/log-writer.ts";
import type { LogWriterOptions } from "../log/log-writer.ts";
import { lackingAfter } from "../log/power-loss.ts";
import { listSegments, segmentPath } from "../log/segment-files.ts";
import { encodeCleanClose } from "../storage/clean-close-file.ts";
import { writeMeta } from "../storage/meta-file.ts";
import type { PrimaryMeta } from "../storage/meta-file.ts";
import type { Cursor } from "../units.ts";
import { examine } from "./examine.ts";

const META: PrimaryMeta = {
  role: "primary",
  logId: "0".repeat(32),
  epoch: 1,
  databaseFile: "1:1",
  pageSizeBytes: 512,
  bootId: "a".repeat(32),
};
const NEXT_BOOT = "b".repeat(32);

/** What becomes of a log: what is cut off its end, or where it is damaged. */
interface Fate {
  readonly cutBytes: number;
  readonly damagedAt: Cursor | null;
}

function optionsFor(folder: string): LogWriterOptions {
  return {
    folder,
    logId: META.logId,
    epoch: 1,
    pageSizeBytes: 512,
    segmentSizeBytes: 6000,
    durability: "os",
    clock: () => 0,
    initial: new History().initial,
    storage: { write: writeSync, truncate: ftruncateSync, dataSync: () => {} },
  };
}

/** Eight transactions of one to three fragments, in several segments. */
function writeLog(folder: string): void {
  const history = new History();
  const { log } = LogWriter.open(optionsFor(folder));
  for (let txid = 1; txid <= 8; txid++)
    for (const fragment of history.record({ fragments: 1 + (txid % 3) })) log.append(fragment);
  log.close();
}

function fateAtStart(folder: string, bootId: string, closedTxid: number): Fate {
  const closed = { logId: META.logId, txid: closedTxid, databaseChecksum: "", file: "" };
  try {
    const lacking = lackingAfter(META, bootId, closed);
    const { log, cut } = LogWriter.open({ ...optionsFor(folder), lackingAfter: lacking });
    log.close();
    return { cutBytes: cut?.bytes ?? 0, damagedAt: null };
  } catch (error) {
    if (!(error instanceof DamagedLogError)) throw error;
    return { cutBytes: 0, damagedAt: error.at };
  }
}

function fateSaid(dataDir: string, bootId: string): Fate {
  const { log } = examine({ folder: dataDir, isDeep: false, bootId, onProgress: () => {} });
  return { cutBytes: log!.tornBytes, damagedAt: log!.damage?.at ?? null };
}

test("wherever a kill, or a loss of power, has left the log: what is said of it is what the start does", () => {
  const dataDir = temporaryFolder();
  const folder = join(dataDir, "log");
  writeMeta(join(dataDir, "meta.json"), META);
  writeLog(folder);
  const newest = listSegments(folder).at(-1)!;
  const fates = new Set<string>();
  for (const [segment, everyBytes] of [
    [newest, 331],
    [newest - 1, 1499],
  ] as const) {
    const path = segmentPath(folder, segment);
    const whole = readFileSync(path);
    for (let offset = SEGMENT_HEADER_BYTES; offset < whole.length; offset += everyBytes) {
      const end = Math.min(whole.length, offset + 300);
      for (const bytes of [whole.subarray(0, offset), Buffer.from(whole).fill(0, offset, end)])
        for (const [bootId, closedTxid] of [
          [META.bootId!, 0],
          [NEXT_BOOT, 0],
          [NEXT_BOOT, 7],
        ] as const) {
          writeFileSync(path, bytes);
          const close = { logId: META.logId, txid: closedTxid, databaseChecksum: "", file: "" };
          writeFileSync(join(dataDir, "clean-close.json"), encodeCleanClose(close));
          const said = fateSaid(dataDir, bootId);
          const happened = fateAtStart(folder, bootId, closedTxid);
          expect(said, `segment ${segment}, offset ${offset}, boot ${bootId}, ${closedTxid}`).toEqual(
            happened,
          );
          fates.add(happened.damagedAt !== null ? "damaged" : happened.cutBytes > 0 ? "cut" : "whole");
        }
    }
    writeFileSync(path, whole);
  }
  expect([...fates].toSorted()).toEqual(["cut", "damaged", "whole"]);
});
