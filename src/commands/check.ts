import { examine } from "../../shared/examination/examine.ts";
import type { Examination } from "../../shared/examination/examine.ts";
import { findDataFolder, holdForReading } from "../../shared/examination/offline-folder.ts";
import { size } from "../../shared/human.ts";
import { loadDriver } from "../../shared/sqlite/driver.ts";
import { hex64 } from "../../shared/units.ts";
import { findingsText } from "../check-text.ts";
import { operand } from "../command.ts";
import type { Call } from "../command.ts";
import { EXIT_DONE, EXIT_NOT_AS_IT_SHOULD } from "../exit-code.ts";
import type { Output } from "../output.ts";
import type { CheckSettings } from "../configuration/local-settings.ts";

/** Between two lines of progress. */
const PROGRESS_MS = 2000;

/** What {@link ../commands.ts} says of `check`. */
export async function run(call: Call<CheckSettings>): Promise<number> {
  const { output, settings } = call;
  const folder = findDataFolder(operand(call, 0));
  const letGo = holdForReading(folder, await loadDriver("node:sqlite"));
  try {
    const examination = examine({ folder, isDeep: settings.deep, onProgress: progressTo(output) });
    output.data(
      checkDocument(examination),
      findingsText(examination, (format, text) => output.style(format, text)),
    );
    return isWell(examination) ? EXIT_DONE : EXIT_NOT_AS_IT_SHOULD;
  } finally {
    letGo();
  }
}

export function isWell({ findings }: Examination): boolean {
  return findings.every(({ severity }) => severity !== "damaged");
}

/** A line on stderr now and then, while large files are read. */
export function progressTo(output: Output): (what: string, doneBytes: number, totalBytes: number) => void {
  let nextMs = performance.now() + PROGRESS_MS;
  return (what, doneBytes, totalBytes) => {
    const now = performance.now();
    if (now < nextMs) return;
    nextMs = now + PROGRESS_MS;
    output.message(`reading ${what}: ${size(doneBytes)} of ${size(totalBytes)}`);
  };
}

/** What --json prints. */
function checkDocument(examination: Examination): object {
  const { folder, role, meta, log, generations, unreadBytes, findings } = examination;
  return {
    folder,
    role,
    logId: meta?.logId ?? null,
    epoch: meta?.epoch ?? null,
    isWell: isWell(examination),
    log:
      log === null
        ? null
        : {
            segments: log.segments,
            sizeBytes: log.sizeBytes,
            start: log.start,
            end: log.end,
            headTxid: log.head?.txid ?? null,
            databaseChecksum: log.head === null ? null : hex64(log.head.checksum),
            tornBytes: log.tornBytes,
            damagedAt: log.damage?.at ?? null,
          },
    snapshots: generations.map(({ generation, info }) => ({ generation, txid: info?.txid ?? null })),
    unreadBytes,
    findings,
  };
}
