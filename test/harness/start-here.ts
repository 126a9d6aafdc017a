import { join } from "node:path";
import { LocalReplica } from "../../replica/local-replica.ts";
import { ReplicaIdentity } from "../../replica/replica-identity.ts";
import { asTailraceError } from "../../shared/errors.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import { EventLoopDelay } from "../../shared/metrics/event-loop.ts";
import { ReplicaEngineMetrics } from "../../shared/metrics/replica-engine.ts";
import { remedyFor } from "../../shared/plan/follow-state.ts";
import { SnapshotStore } from "../../shared/snapshots/snapshot-store.ts";
import { driver } from "../../shared/sqlite/node-sqlite.ts";
import { DataFolder } from "../../shared/storage/data-folder.ts";
import { replicaRoom } from "../../shared/storage/disk-room.ts";
import { ReplicaTracker } from "../../shared/tracking/replica-tracker.ts";
import type { Cursor } from "../../shared/units.ts";
import { openCapture } from "./open-capture.ts";

/*
 * Starts of nodes without threads and without a network, up to the moment from which on they follow.
 */

export interface Start {
  readonly logId?: string;
  /** Where its log, or its copy of one, ends. */
  readonly end?: Cursor;
  readonly messages: readonly string[];
  /** What it does then: `resync` and `bootstrap` fetch anew. Or why it refused to start. */
  readonly outcome: "goes on" | "resync" | "bootstrap" | ErrorCode;
}

/** As the primary's engine starts, and stopped at once. */
export async function startPrimaryHere(file: string, dataDir: string, bootId: string): Promise<Start> {
  const messages: string[] = [];
  try {
    const snapshots = SnapshotStore.open(join(dataDir, "snapshots"));
    const tracking = { file: join(dataDir, "replicas.json"), clock: Date.now, notify: () => {} };
    ReplicaTracker.open(tracking).close();
    const say = (text: string): void => void messages.push(text);
    const { capture, close } = await openCapture({ file, dataDir }, { bootId, say, snapshots });
    const { meta, log } = capture;
    close();
    return { logId: meta.logId, end: log.end, messages, outcome: "goes on" };
  } catch (error) {
    return { messages, outcome: asTailraceError(error).code };
  }
}

/** As a replica starts whose primary cannot be reached, and stopped at once. */
export async function startReplicaHere(file: string, dataDir: string, bootId: string): Promise<Start> {
  const messages: string[] = [];
  await using opened = new AsyncDisposableStack();
  try {
    const folder = opened.adopt(DataFolder.open(dataDir, driver), (held) => held.close());
    const identity = ReplicaIdentity.open(folder.metaFile, undefined, () => "drawn");
    const eventLoop = opened.adopt(new EventLoopDelay("test", () => performance.now()), (delay) =>
      delay.close(),
    );
    const { replica, work } = LocalReplica.open({
      file,
      dataDir,
      driver,
      isDurable: true,
      seen: identity.seen,
      bootId,
      room: replicaRoom(dataDir, file, { keepFreeBytes: 0, nowMs: () => performance.now() }),
      nowMs: () => performance.now(),
      metrics: new ReplicaEngineMetrics(eventLoop, { maxBacklogBytes: 1 << 20 }),
      report: (text) => messages.push(text),
      onApplied: () => {},
    });
    opened.defer(() => replica.close());
    if (work !== "receive") return { messages, outcome: work };
    await replica.stand();
    return { logId: replica.position!.logId, end: replica.received!, messages, outcome: "goes on" };
  } catch (error) {
    const { code } = asTailraceError(error);
    const remedy = remedyFor(code, { onForeignWrite: "stop", hasMet: false });
    return { messages, outcome: remedy === "resync" ? "resync" : code };
  }
}
