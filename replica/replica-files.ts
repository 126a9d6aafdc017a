import { statSync } from "node:fs";
import path from "node:path";

/** Where a replica keeps what: below its data folder, but for a snapshot on its way where that is on another file system. */
export interface ReplicaFiles {
  readonly dataDir: string;
  /** Segments of the primary's log, byte for byte. */
  readonly logFolder: string;
  readonly position: string;
  readonly pageTable: string;
  /** A snapshot on its way, and the document that says which. */
  readonly bootstrapPart: string;
  readonly bootstrapInfo: string;
  /** The page hashes of the primary's snapshot, and the pages that differ. */
  readonly resyncSums: string;
  readonly resyncPages: string;
  /** The log after that snapshot. */
  readonly resyncLog: string;
  /** What is known of those that this replica feeds. */
  readonly replicas: string;
}

export function replicaFiles(dataDir: string, databaseFile: string): ReplicaFiles {
  const at = (name: string): string => path.join(dataDir, name);
  return {
    dataDir,
    logFolder: at("log"),
    position: at("position"),
    pageTable: at("pages.sum"),
    // It becomes the database by its name alone, and a name can be given on one file system only.
    bootstrapPart: isOneFileSystem(path.resolve(dataDir), path.dirname(path.resolve(databaseFile)))
      ? at("bootstrap.part")
      : `${databaseFile}-bootstrap.part`,
    bootstrapInfo: at("bootstrap.json"),
    resyncSums: at("resync.sums"),
    resyncPages: at("resync.pages"),
    resyncLog: at("resync.log"),
    replicas: at("replicas.json"),
  };
}

function isOneFileSystem(a: string, b: string): boolean {
  return deviceOf(a) === deviceOf(b);
}

/** A folder that does not exist yet is made where its parent is. */
function deviceOf(folder: string): number | undefined {
  const stats = statSync(folder, { throwIfNoEntry: false });
  return (stats ?? statSync(path.dirname(folder), { throwIfNoEntry: false }))?.dev;
}
