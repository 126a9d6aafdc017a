import path from "node:path";

/** Where a replica keeps what, below its data folder. */
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

export function replicaFiles(dataDir: string): ReplicaFiles {
  const at = (name: string): string => path.join(dataDir, name);
  return {
    dataDir,
    logFolder: at("log"),
    position: at("position"),
    pageTable: at("pages.sum"),
    bootstrapPart: at("bootstrap.part"),
    bootstrapInfo: at("bootstrap.json"),
    resyncSums: at("resync.sums"),
    resyncPages: at("resync.pages"),
    resyncLog: at("resync.log"),
    replicas: at("replicas.json"),
  };
}
