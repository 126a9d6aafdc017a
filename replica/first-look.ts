import { existsSync, renameSync } from "node:fs";
import { TailraceError } from "../shared/errors.ts";
import type { Position } from "../shared/format/position.ts";
import type { Work } from "../shared/plan/follow-state.ts";
import { isAbsent } from "../shared/storage/database-file.ts";
import { publishImage, unrelatedDatabase } from "./bootstrap.ts";
import { PositionFile, isSameFile, stampOf } from "./position-file.ts";
import type { ReplicaFiles } from "./replica-files.ts";

/* What a starting replica makes of the files that it finds, before any of them is opened but its position. */

/** A position file that could not be read is kept under this name: it proves that the database is a replica. */
const DAMAGED = ".damaged";

/** A database where this replica has never been is somebody's, and is not touched. @throws unrelated_database */
export function assertOwn(file: string, { position }: ReplicaFiles): void {
  if (!isAbsent(position)) return;
  if (existsSync(position + DAMAGED)) return;
  if (!isAbsent(file)) throw unrelatedDatabase(file);
}

/** A position that makes no sense is set aside. @throws unknown_version, storage_failed */
export function openPosition({ position }: ReplicaFiles, report: (message: string) => void): PositionFile {
  try {
    return PositionFile.open(position);
  } catch (error) {
    if (!(error instanceof TailraceError) || error.code !== "damaged") throw error;
    report(`${error.message}: its pages are compared with the primary's`);
    renameSync(position, position + DAMAGED);
    return PositionFile.open(position);
  }
}

/** A primary of an epoch before one that was seen is refused, also when the position has forgotten that epoch. */
export function remember(
  { logId, epoch = 0 }: { readonly logId?: string | undefined; readonly epoch?: number | undefined },
  positionFile: PositionFile,
): void {
  const { position } = positionFile;
  if (position === undefined || position.logId !== logId || position.epoch >= epoch) return;
  positionFile.write({ ...position, epoch }, true);
}

/** What has to be done first. An image that was about to be published is. @throws unrelated_database, storage_failed */
export function firstWork(
  file: string,
  files: ReplicaFiles,
  position: Position | undefined,
  report: (message: string) => void,
): Work {
  if (!isAbsent(file)) return position === undefined || position.phase === "resyncing" ? "resync" : "receive";
  if (position?.phase === "published" && isPart(files, position)) {
    publishImage(file, files);
    return "receive";
  }
  if (position !== undefined) report(`${file} is gone: it is fetched again`);
  return "bootstrap";
}

function isPart({ bootstrapPart }: ReplicaFiles, { stamp }: Position): boolean {
  return existsSync(bootstrapPart) && isSameFile(stampOf(bootstrapPart), stamp);
}
