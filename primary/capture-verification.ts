import { TailraceError } from "../shared/errors.ts";
import type { PrimaryEngineMetrics } from "../shared/metrics/primary-engine.ts";
import { Verification } from "../shared/verification/verification.ts";
import type { Capture } from "./capture.ts";

/** Reads every page again, of the very state that log and page table are at. */
export function verificationOf(
  capture: Capture,
  clock: () => number,
  metrics: PrimaryEngineMetrics,
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
    onEnd({ state, txid }) {
      metrics.verifications.inc({ result: state });
      if (state !== "different") return;
      onError(new TailraceError("damaged", `pages on disk are not what the log says at transaction ${txid}`));
    },
  });
}
