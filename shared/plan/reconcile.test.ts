import { expect, test } from "vitest";
import { judgeDatabase } from "./reconcile.ts";

const head = { txid: 9, checksum: 900n };
const earlier = [
  { txid: 6, checksum: 600n },
  { txid: 7, checksum: 700n },
  { txid: 8, checksum: 600n },
];

test("the same checksum: nothing to do, even if an earlier state had it too", () => {
  expect(judgeDatabase(900n, head, [...earlier, { txid: 5, checksum: 900n }])).toEqual({ kind: "identical" });
});

test("a database that went back to an earlier state gets the rest again", () => {
  expect(judgeDatabase(700n, head, earlier)).toEqual({ kind: "put-back", txid: 7 });
});

test("of two equal states the later one: less to put back", () => {
  expect(judgeDatabase(600n, head, earlier)).toEqual({ kind: "put-back", txid: 8 });
});

test("a state that the log does not know is the truth", () => {
  expect(judgeDatabase(123n, head, earlier)).toEqual({ kind: "difference" });
  expect(judgeDatabase(700n, head, [])).toEqual({ kind: "difference" });
});
