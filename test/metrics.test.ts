import { expect, test } from "vitest";
import { scrapePair } from "./harness/scraped-pair.ts";

function valueOf(text: string, name: string): number {
  const line = text.split("\n").find((one) => one.startsWith(`${name} `));
  return line === undefined ? Number.NaN : Number(line.slice(name.length));
}

test("what a primary and its replica count is what has happened", async () => {
  const { primary, replica, commits } = await scrapePair(20);
  const nowSeconds = Date.now() / 1000;

  expect(valueOf(primary, "tailrace_commits_total")).toBeGreaterThanOrEqual(commits);
  expect(valueOf(primary, "tailrace_commit_bytes_total")).toBeGreaterThan(commits * 4096);
  // Each was waited for: each was made durable by itself.
  expect(valueOf(primary, "tailrace_capture_delay_seconds_count")).toBeGreaterThanOrEqual(commits);
  expect(valueOf(primary, "tailrace_log_fsync_seconds_count")).toBeGreaterThanOrEqual(commits);
  expect(valueOf(primary, "tailrace_capture_pending_frames")).toBe(0);
  expect(valueOf(primary, "tailrace_capture_trouble")).toBe(0);
  expect(nowSeconds - valueOf(primary, "tailrace_capture_timestamp_seconds")).toBeLessThan(30);
  expect(valueOf(primary, 'tailrace_replica_lag_bytes{replica="edge-1"}')).toBeGreaterThanOrEqual(0);
  expect(valueOf(primary, "tailrace_log_max_bytes")).toBe(10 * 2 ** 30);
  expect(valueOf(primary, "tailrace_disk_free_bytes")).toBeGreaterThan(0);
  expect(valueOf(primary, "tailrace_snapshots")).toBe(1);
  expect(valueOf(primary, "tailrace_snapshot_seconds_count")).toBe(1);
  expect(valueOf(primary, 'tailrace_sent_bytes_total{kind="wal"}')).toBe(
    valueOf(replica, "tailrace_received_bytes_total"),
  );

  expect(valueOf(replica, "tailrace_applied_txid")).toBe(valueOf(primary, "tailrace_log_head_txid"));
  expect(valueOf(replica, "tailrace_applied_transactions_total")).toBe(commits);
  expect(valueOf(replica, "tailrace_apply_commits_total")).toBe(commits);
  expect(valueOf(replica, "tailrace_apply_seconds_count")).toBe(commits);
  expect(valueOf(replica, "tailrace_bootstraps_total")).toBe(1);
  expect(valueOf(replica, "tailrace_resyncs_total")).toBe(0);
  expect(valueOf(replica, "tailrace_divergences_total")).toBe(0);
  expect(valueOf(replica, "tailrace_backlog_bytes")).toBe(0);
  expect(valueOf(replica, "tailrace_lag_transactions")).toBe(0);
  expect(nowSeconds - valueOf(replica, "tailrace_fresh_timestamp_seconds")).toBeLessThan(30);

  for (const node of [primary, replica]) {
    expect(valueOf(node, "tailrace_ready")).toBe(1);
    expect(valueOf(node, "tailrace_engine_answering")).toBe(1);
    expect(valueOf(node, "tailrace_resident_memory_bytes")).toBeGreaterThan(1e6);
    expect(valueOf(node, 'tailrace_errors_total{code="damaged"}')).toBe(0);
  }
});
