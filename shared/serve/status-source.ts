import { compareReplicas } from "../plan/health.ts";
import { PROTOCOL_VERSION } from "../protocol.ts";
import { MAX_LISTED_REPLICAS } from "../status.ts";
import type { EngineStatus, LogStatus, StatusDocument } from "../status.ts";
import type { NodeHead } from "./engine.ts";
import type { Parts } from "./parts.ts";

/**
 * The one source of the status document, for every route and page: the engine's part, and the server's. Whoever asks
 * while the engine is being asked gets the same answer; an engine that hangs has one question to answer, not many.
 */
export class StatusSource {
  private readonly parts: Omit<Parts, "status" | "history">;
  private last: EngineStatus | undefined;
  /** Resolves at the latest after the time limit, and says whether the engine has answered. */
  private question: Promise<boolean> | undefined;

  constructor(parts: Omit<Parts, "status" | "history">) {
    this.parts = parts;
  }

  /** The document as of now. Takes no longer than {@link ServeLimits.engineStatusMs}, whatever the engine does. */
  async read(): Promise<StatusDocument> {
    this.question ??= this.ask();
    const isEngineAnswering = await this.question;
    return this.document(isEngineAnswering);
  }

  private ask(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), this.parts.limits.engineStatusMs);
    void this.askEngine().then((isAnswered) => {
      clearTimeout(timer);
      this.question = undefined;
      return resolve(isAnswered);
    });
    return promise;
  }

  private async askEngine(): Promise<boolean> {
    const { state, reporter } = this.parts;
    try {
      this.last = await reporter.along((report) => state.status(report));
      return true;
    } catch {
      return false; // it has stopped, or has no database: `unready` says so
    }
  }

  private document(isEngineAnswering: boolean): StatusDocument {
    const { role, version, state, waiters, downloads, holds, clock, startedMs } = this.parts;
    const { last } = this;
    const { unready, lastHead } = state;
    const replicas = last?.replicas ?? [];
    return {
      ...last,
      protocol: PROTOCOL_VERSION,
      version,
      role,
      isReady: unready === undefined,
      unready: unready === undefined ? null : { code: unready.code, message: unready.message },
      startedMs,
      nowMs: clock(),
      isEngineAnswering,
      log: last === undefined || last.log === null ? null : withHead(last.log, lastHead),
      snapshots: (last?.snapshots ?? []).map((snapshot) => ({
        ...snapshot,
        downloads: holds.downloadsOf(snapshot.generation),
      })),
      replicas:
        replicas.length <= MAX_LISTED_REPLICAS
          ? replicas
          : replicas.toSorted(compareReplicas).slice(0, MAX_LISTED_REPLICAS),
      replicasTotal: replicas.length,
      errors: last?.errors ?? [],
      waitingRequests: waiters.count,
      downloads: downloads.count,
    };
  }
}

/** A head may be newer than the engine's last word, for it is sent with each commit. */
function withHead(log: LogStatus, head: NodeHead | undefined): LogStatus {
  if (head === undefined || head.logId !== log.logId || head.txid <= log.headTxid) return log;
  const { epoch, start, end, txid, commitTimeMs, databaseChecksum } = head;
  return { ...log, epoch, start, end, headTxid: txid, headTimeMs: commitTimeMs, databaseChecksum };
}
