import { join } from "node:path";
import { isUnbegun } from "../log/segment-files.ts";
import { CLEAN_CLOSE_FILE } from "../storage/clean-close-file.ts";
import type { Meta } from "../storage/meta-file.ts";
import { onStorage } from "../storage/storage-error.ts";
import { kindOf } from "./offline-folder.ts";
import type { FoundGeneration } from "./snapshot-examination.ts";

/**
 * Whether a start began a log, and did not come to its end: what it leaves is not damage, the next one begins again.
 *
 * - `first`: there was none before. meta.json comes last, so that it is not there yet
 * - `new`: the one before had been set aside. meta.json is still of that one
 */
export function unfinishedStart(
  folder: string,
  meta: Meta | null,
  generations: readonly FoundGeneration[],
): "first" | "new" | undefined {
  const logFolder = join(folder, "log");
  const logKind = kindOf(logFolder);
  if (logKind !== undefined && logKind !== "folder") return undefined;
  if (!onStorage("examine", logFolder, () => isUnbegun(logFolder))) return undefined;
  if (meta !== null)
    return kindOf(join(folder, `log-set-aside-${meta.logId}`)) === "folder" ? "new" : undefined;
  const wasThere = ["meta.json", "position", CLEAN_CLOSE_FILE, "replicas.json"];
  const isFirst =
    wasThere.every((name) => kindOf(join(folder, name)) === undefined) &&
    generations.every(({ isUnfinished }) => isUnfinished);
  return isFirst ? "first" : undefined;
}
