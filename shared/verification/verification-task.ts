import type { SharedView } from "../pages/database-view.ts";
import type { DamagedSegment } from "./verification-status.ts";
import type { DatabaseChecksum } from "../units.ts";
import type { LogStretch } from "./log-scan.ts";

/** What the thread of a verification is given. */
export interface VerificationTask {
  /** Null where it only reads the log. */
  readonly view: SharedView | null;
  /** Shared between both threads: see the indexes below. */
  readonly signals: BigInt64Array;
}

/** Of `signals`: not 0 when the thread is to stop. */
export const STOP_SIGNAL = 0;
/** Of `signals`: the last page that the present pass has read. */
export const PAGES_SIGNAL = 1;
/** Of `signals`: log bytes that it has read. */
export const LOG_BYTES_SIGNAL = 2;

/** Pages and their hashes, side by side. */
export interface PageHashes {
  readonly pages: Uint32Array;
  readonly hashes: BigUint64Array;
}

/** What the thread answers. */
export type VerificationMethods = {
  /** Reads every page. */
  checksum: () => DatabaseChecksum;
  /** Reads every page once more, a slice a call. Null when all are read. */
  nextHashes: () => PageHashes | null;
  /** Reads a stretch of the log up to the first place from which it cannot go on; null where there is none. */
  logDamage: (stretch: LogStretch) => DamagedSegment | null;
  /** Ends the thread. */
  close: () => void;
};
