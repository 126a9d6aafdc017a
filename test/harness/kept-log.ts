import { join } from "node:path";
import { Retention } from "../../primary/retention.ts";
import { LogWriter } from "../../shared/log/log-writer.ts";
import { ReplicaTracker } from "../../shared/tracking/replica-tracker.ts";
import { History } from "./history.ts";

const LOG_ID = "0".repeat(32);
export const KEPT_NOW_MS = 1_800_000_000_000;

const clock = (): number => KEPT_NOW_MS;
const notify = (): void => {};

/** A real log and a real file of replicas in a folder, of which everything goes that no replica needs. */
export function openKeptLog(folder: string): {
  readonly log: LogWriter;
  readonly tracker: ReplicaTracker;
  readonly retention: Retention;
} {
  const logFolder = join(folder, "log");
  const { log } = LogWriter.open({
    folder: logFolder,
    logId: LOG_ID,
    epoch: 1,
    pageSizeBytes: 512,
    segmentSizeBytes: 4000,
    durability: "os",
    clock,
    initial: new History().initial,
  });
  const tracker = ReplicaTracker.open({ file: join(folder, "replicas.json"), clock, notify });
  const retention = new Retention({
    log: {
      logId: LOG_ID,
      get start() {
        return log.start;
      },
      get end() {
        return log.durableEnd;
      },
      get headTxid() {
        return log.headTxid;
      },
      get headCommitTimeMs() {
        return log.headCommitTimeMs;
      },
      dropBefore: (segment) => log.dropBefore(segment),
      seal: () => log.seal(),
    },
    folder: logFolder,
    tracker,
    limits: { keepBytes: 0, keepMs: 0, maxBytes: null, holdInactiveMs: 86_400_000 },
    snapshots: () => [{ generation: 1, cursor: log.end }],
    recovery: () => log.end,
    clock,
    notify,
    onSealed: () => {},
  });
  return { log, tracker, retention };
}
