import { spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { RETENTION } from "../test/harness/failpoints.ts";
import { temporaryFolder } from "../test/harness/folder.ts";
import { History } from "../test/harness/history.ts";
import { KEPT_NOW_MS, openKeptLog } from "../test/harness/kept-log.ts";

const program = fileURLToPath(new URL("../test/programs/drop-log.ts", import.meta.url));

/** A log of ten segments and more; a replica follows it from the second one on. */
function prepared(): string {
  const folder = temporaryFolder();
  const history = new History();
  const { log, tracker, retention } = openKeptLog(folder);
  while (log.end.segment < 10) for (const fragment of history.record()) log.append(fragment);
  for (const offset of [80, 81]) {
    const sighting = { id: "edge-1", address: null, sent: null, appliedTxid: null, isAsking: false };
    const seen = { ...sighting, received: { segment: 2, offset }, lastSeenMs: KEPT_NOW_MS };
    retention.report([seen]);
  }
  retention.upkeep();
  expect(log.start.segment).toBe(2);
  tracker.close();
  log.close();
  return folder;
}

const segments = (folder: string): number[] =>
  readdirSync(join(folder, "log"))
    .map((name) => Number.parseInt(name, 16))
    .toSorted((a, b) => a - b);

test.each(RETENTION.map((point) => (point === "log.segment-removed" ? `${point}:3` : point)))(
  "killed at %s, while it drops what a replica has left behind: the log is whole, and the replica is not lost",
  (failpoint) => {
    const folder = prepared();
    const { signal, stderr } = spawnSync(process.execPath, [program, folder, "8"], {
      env: { ...process.env, TAILRACE_FAILPOINT: failpoint },
      encoding: "utf8",
      timeout: 20_000,
    });
    expect(signal, stderr).toBe("SIGKILL");

    const left = segments(folder);
    const first = { "retention.tracked": 2, "log.segment-removed:3": 5, "retention.dropped": 8 }[failpoint];
    expect(left).toEqual(Array.from({ length: left.length }, (_, index) => first! + index));
    // By what is on disk it stands where it said last, or its place is still there.
    const { replicas } = JSON.parse(readFileSync(join(folder, "replicas.json"), "utf8")) as {
      replicas: { received: { segment: number } }[];
    };
    expect(replicas[0]!.received.segment).toBe(8);
    const { log, retention } = openKeptLog(folder);
    expect(retention.replicas()).toMatchObject([{ id: "edge-1", state: "catching_up", timesLost: 0 }]);
    retention.upkeep();
    expect(log.start.segment).toBe(8);
    expect(segments(folder)[0]).toBe(8);
    log.close();
  },
);
