import type { SharedView } from "../pages/database-view.ts";
import type { DatabaseChecksum } from "../units.ts";

/** What the thread of a verification is given. */
export interface VerificationTask {
  readonly view: SharedView;
  /** Shared between both threads: see the two indexes below. */
  readonly signals: Uint32Array;
}

/** Of `signals`: not 0 when the thread is to stop. */
export const STOP_SIGNAL = 0;
/** Of `signals`: the last page that the present pass has read. */
export const PROGRESS_SIGNAL = 1;

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
  /** Ends the thread. */
  close: () => void;
};
