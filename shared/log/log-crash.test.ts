import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { History } from "../../test/harness/history.ts";
import { FragmentReader } from "./fragment-reader.ts";
import { LogWriter } from "./log-writer.ts";

const program = fileURLToPath(new URL("../../test/programs/append-log.ts", import.meta.url));

/** Runs the writer until it dies at the failpoint. @returns the last txid that it called durable */
function appendUntilKilled(folder: string, durability: string, failpoint: string): number {
  const { stdout, signal, stderr } = spawnSync(process.execPath, [program, folder, durability], {
    env: { ...process.env, TAILRACE_FAILPOINT: failpoint },
    encoding: "utf8",
    timeout: 20_000,
  });
  expect(signal, stderr).toBe("SIGKILL");
  return Number(stdout.trimEnd().split("\n").at(-1) ?? 0);
}

test.each([
  ["commit", "log.fragment-written:9"],
  ["commit", "log.record-written:7"],
  ["commit", "log.synced:8"],
  ["commit", "log.segment-sealed:2"],
  ["commit", "log.segment-created:2"],
  ["group", "log.fragment-written:10"],
  ["group", "log.record-written:8"],
  ["group", "log.synced:3"],
  ["group", "log.segment-created"],
  ["os", "log.fragment-written:31"],
  ["os", "log.segment-sealed"],
])(
  "killed in mode %s at %s, over and over: nothing called durable is lost, nothing half is kept",
  (durability, failpoint) => {
    const folder = mkdtempSync(join(tmpdir(), "tailrace-log-crash-"));
    try {
      for (let round = 0; round < 3; round++) {
        const durableTxid = appendUntilKilled(folder, durability, failpoint);
        const expected = new History();
        const { log } = LogWriter.open({
          folder,
          logId: "0".repeat(32),
          epoch: 1,
          pageSizeBytes: 512,
          segmentSizeBytes: 4000,
          durability: "os",
          clock: () => 0,
          initial: expected.initial,
        });
        expect(log.headTxid).toBeGreaterThanOrEqual(durableTxid);
        const reader = new FragmentReader({ folder, start: log.start, end: () => log.end });
        while (expected.txid < log.headTxid)
          for (const fragment of expected.record({ fragments: 1 + (expected.txid % 3) }))
            expect(reader.next()?.fragment.checksumAfter).toBe(fragment.readBigUInt64LE(40));
        expect(reader.next()).toBeUndefined();
        expect(log.headChecksum).toBe(expected.checksum);
        reader.close();
        log.close();
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
