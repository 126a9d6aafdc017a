import { TailraceError } from "../shared/errors.ts";
import type { PrimaryEngineMetrics } from "../shared/metrics/primary-engine.ts";
import type { Notice } from "../shared/notice.ts";
import { verificationError, verificationNotice } from "../shared/verification/verification-notices.ts";
import { Verification } from "../shared/verification/verification.ts";
import type { Capture } from "./capture.ts";

/** Reads every page again, of the very state that log and page table are at. */
export function verificationOf(
  capture: Capture,
  clock: () => number,
  metrics: PrimaryEngineMetrics,
  notify: (notice: Notice) => void,
  onError: (error: TailraceError) => void,
): Verification {
  return new Verification({
    clock,
    hashOf: (pageNumber) => capture.table.get(pageNumber),
    open() {
      const view = capture.openView();
      if (view === undefined) {
        throw new TailraceError("not_ready", "pages are being compared; they can be verified after that", {
          retryable: true,
        });
      }
      return { view, txid: capture.log.headTxid, databaseChecksum: capture.table.checksum };
    },
    onEnd(ended) {
      metrics.verifications.inc({ result: ended.state });
      const told = verificationNotice(ended);
      if (told !== undefined) notify(told);
      const error = verificationError(ended);
      if (error !== undefined) onError(error);
    },
  });
}
