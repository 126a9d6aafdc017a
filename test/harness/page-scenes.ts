import { History } from "../../shared/serve/history.ts";
import type { ReplicaStatus, StatusDocument } from "../../shared/status.ts";
import { primaryStatus, replicaStatus } from "./status-documents.ts";

/*
 * What a node may look like, for the tests of its page: the same every time.
 */

const MINUTE_MS = 60_000;
const GIB = 1024 ** 3;
const [WELL] = (primaryStatus() as StatusDocument).replicas as readonly [ReplicaStatus];
export const NOW_MS: number = (primaryStatus() as StatusDocument).nowMs;

export function replica(id: string, changes: Partial<ReplicaStatus> = {}): ReplicaStatus {
  return { ...WELL, id, lagSeconds: 0.003, lagTransactions: 1, lagBytes: 4200, ...changes };
}

export const late: Partial<ReplicaStatus> = {
  state: "catching_up",
  lagSeconds: 95,
  lagTransactions: 18_402,
  lagBytes: 1.1 * GIB,
  appliedTxid: 1100,
  freshAsOfMs: NOW_MS - 95_000,
  retention: "extended",
};
export const endangered: Partial<ReplicaStatus> = {
  state: "inactive",
  lagSeconds: 5400,
  lagTransactions: 1_118_402,
  lagBytes: 8.6 * GIB,
  appliedTxid: 900,
  lastSeenMs: NOW_MS - 90 * MINUTE_MS,
  inactiveSinceMs: NOW_MS - 90 * MINUTE_MS,
  freshAsOfMs: NOW_MS - 90 * MINUTE_MS,
  releaseAtMs: NOW_MS + 22 * 60 * MINUTE_MS,
  retention: "endangered",
  bytesUntilLost: 1.2 * GIB,
  secondsUntilLost: 2400,
};
export const lost: Partial<ReplicaStatus> = {
  state: "lost",
  retention: "lost",
  sent: null,
  appliedTxid: null,
  lagTransactions: null,
  lagBytes: null,
  lagSeconds: null,
  freshAsOfMs: null,
  lastSeenMs: NOW_MS - 200 * MINUTE_MS,
  bytesUntilLost: null,
  lostAtMs: NOW_MS - 4 * MINUTE_MS,
  timesLost: 2,
};
export const inactive: Partial<ReplicaStatus> = {
  state: "inactive",
  lagSeconds: 720,
  lagTransactions: 9000,
  lagBytes: 40 << 20,
  lastSeenMs: NOW_MS - 12 * MINUTE_MS,
  inactiveSinceMs: NOW_MS - 12 * MINUTE_MS,
  freshAsOfMs: NOW_MS - 12 * MINUTE_MS,
  releaseAtMs: NOW_MS + 23 * 60 * MINUTE_MS,
};

export function primaryWith(replicas: readonly ReplicaStatus[], changes: object = {}): StatusDocument {
  return primaryStatus({ replicas, replicasTotal: replicas.length, ...changes }) as StatusDocument;
}

export function replicaNode(changes: object = {}): StatusDocument {
  return replicaStatus(changes) as StatusDocument;
}

/** A wave between 0 and 1, different for each phase: no randomness, so that pictures can be compared. */
function wave(step: number, phase: number): number {
  return 0.5 + 0.3 * Math.sin(step / 9 + phase * 1.7) + 0.2 * Math.sin(step / 2.3 + phase * 3.1);
}

/** The past of a document: how its figures came to be what they are. */
export function pastOf(document: StatusDocument, samples = 720, stepMs = 5000): History {
  const history = new History();
  let txid = 0;
  for (let step = samples; step >= 1; step--) {
    const done = (samples - step) / samples;
    txid += Math.round(400 + 700 * wave(step, 0) + (step % 180 < 24 ? 1600 : 0));
    const replicas = document.replicas.map((one, index) => {
      const now = one.lagSeconds;
      const sinceMs = (step * stepMs) / 1000;
      const trouble = one.state === "inactive" && now !== null ? Math.max(0.003, now - sinceMs) : null;
      const catching = one.state === "catching_up" && now !== null ? now * done ** 3 + 0.01 : null;
      const usual = 0.002 + 0.01 * wave(step, index) + (step % (150 + index) === 0 ? 0.3 : 0);
      return {
        ...one,
        lagSeconds:
          one.state === "lost" ? (step > 50 ? (samples - step) * 5 : null) : (trouble ?? catching ?? usual),
      };
    });
    const lag = (document as { readonly lag?: { readonly seconds: number | null } }).lag;
    history.note({
      ...document,
      nowMs: document.nowMs - step * stepMs,
      replicas,
      log:
        document.log === null
          ? null
          : { ...document.log, headTxid: txid, sizeBytes: document.log.sizeBytes * (0.35 + 0.65 * done) },
      ...(document.role === "replica"
        ? { position: { txid }, lag: { ...lag, seconds: 0.01 + 0.4 * wave(step, 2) ** 4 } }
        : {}),
    });
  }
  return history;
}
