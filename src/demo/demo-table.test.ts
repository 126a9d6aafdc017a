import { expect, test } from "vitest";
import { plainLine, tableLines } from "./demo-table.ts";
import type { DemoRow } from "./demo-table.ts";

const rows: readonly DemoRow[] = [
  {
    name: "primary",
    txid: 12_345,
    lagTransactions: null,
    lagMs: null,
    transactionsPerSecond: 199.6,
    state: "serving",
  },
  {
    name: "replica-1",
    txid: 12_343,
    lagTransactions: 2,
    lagMs: 1.26,
    transactionsPerSecond: 200,
    state: "following",
  },
  {
    name: "replica-2",
    txid: null,
    lagTransactions: null,
    lagMs: null,
    transactionsPerSecond: null,
    state: "no answer",
  },
];

test("a terminal gets an aligned table; what is not known is a dash, never 0", () => {
  expect(`\n${tableLines(rows).join("\n")}\n`).toBe(`
node          txid   lag (tx)   lag (ms)   tx/s   state
primary     12,345          –          –    200   serving
replica-1   12,343          2        1.3    200   following
replica-2        –          –          –      –   no answer
`);
});

test("a pipe gets one line a sample", () => {
  expect(plainLine(1234, rows)).toBe(
    "1.2 s  primary txid 12345 200 tx/s serving | replica-1 txid 12343 lag 2 tx 1.3 ms 200 tx/s following | " +
      "replica-2 txid – – tx/s no answer",
  );
});
