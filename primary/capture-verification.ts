import { TailraceError } from "../shared/errors.ts";
import type { PrimaryEngineMetrics } from "../shared/metrics/primary-engine.ts";
import type { Notice } from "../shared/notice.ts";
import { tellVerification } from "../shared/verification/verification-notices.ts";
import { Verification } from "../shared/verification/verification.ts";
import type { Capture } from "./capture.ts";
import type { Retention } from "./retention.ts";

export interface CaptureVerificationOptions {
  readonly capture: Capture;
  readonly retention: Retention;
  /** Of the log. */
  readonly folder: string;
  /** Unix ms. */
  readonly clock: () => number;
  readonly metrics: PrimaryEngineMetrics;
  readonly notify: (notice: Notice) => void;
  readonly onError: (error: TailraceError) => void;
}

/** Reads every page again, of the very state that log and page table are at, and then the log. */
export function verificationOf(options: CaptureVerificationOptions): Verification {
  const { capture, retention, folder, clock, metrics, notify, onError } = options;
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
    openLog() {
      const { log, meta } = capture;
      const { start, durableEnd: end, headTxid } = log;
      return { folder, logId: meta.logId, start, end, headTxid, sizeBytes: retention.sizeBytes };
    },
    onEnd(ended) {
      metrics.verifications.inc({ result: ended.state });
      tellVerification(ended, { notify, onError, giveUp: ({ segment }) => retention.giveUpThrough(segment) });
    },
  });
}
