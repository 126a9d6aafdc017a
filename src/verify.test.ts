import { expect, test } from "vitest";
import { NodeComparer } from "./verify.ts";

const at = (txid: number, databaseChecksum: string) => ({
  role: "primary",
  logId: "1",
  txid,
  databaseChecksum,
});

test("two nodes that are never seen at one txid at one moment are compared at one that both have passed", () => {
  const comparer = new NodeComparer();
  expect(comparer.see(0, at(10, "aa"))).toBeUndefined();
  expect(comparer.see(1, at(7, "77"))).toBeUndefined();
  expect(comparer.see(0, at(15, "ff"))).toBeUndefined();
  expect(comparer.see(1, at(10, "aa"))).toEqual({ txid: 10, checksums: ["aa", "aa"], isIdentical: true });
});

test("a difference names the checksums in the order of the nodes", () => {
  const comparer = new NodeComparer();
  comparer.see(1, at(3, "bb"));
  expect(comparer.see(0, at(3, "aa"))).toEqual({ txid: 3, checksums: ["aa", "bb"], isIdentical: false });
});

test("only so many positions are remembered", () => {
  const comparer = new NodeComparer();
  for (let txid = 1; txid <= 10_001; txid++) comparer.see(0, at(txid, "aa"));
  expect(comparer.see(1, at(1, "aa"))).toBeUndefined();
  expect(comparer.see(1, at(2, "aa"))?.isIdentical).toBe(true);
});
