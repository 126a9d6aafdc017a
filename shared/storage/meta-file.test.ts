import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { readMeta, writeMeta } from "./meta-file.ts";
import type { Meta } from "./meta-file.ts";

const PRIMARY: Meta = {
  role: "primary",
  logId: "0123456789abcdef0123456789abcdef",
  epoch: 3,
  databaseFile: "64768:123456789012345678",
  pageSizeBytes: 4096,
};
const REPLICA: Meta = { ...PRIMARY, role: "replica", replicaId: "edge-1" };

const NEW_REPLICA: Meta = { role: "replica", replicaId: "edge-2" };

test.each([PRIMARY, REPLICA, NEW_REPLICA])(
  "what was written is read again ($role), and nothing else is left",
  (meta) => {
    const folder = temporaryFolder();
    const path = join(folder, "meta.json");
    writeMeta(path, { ...PRIMARY, epoch: 1 });
    writeMeta(path, meta);
    expect(readMeta(path)).toEqual(meta);
    expect(readdirSync(folder)).toEqual(["meta.json"]);
  },
);

test("no file is no beginning", () => {
  expect(readMeta(join(temporaryFolder(), "meta.json"))).toBeUndefined();
});

test.each([
  ["empty", ""],
  ["cut", `{"formatVersion": 1, "role": "prim`],
  ["not an object", "[]"],
  ["null", "null"],
  ["without a version", JSON.stringify(PRIMARY)],
  ["of no role", JSON.stringify({ ...PRIMARY, formatVersion: 1, role: "witness" })],
  ["with a wrong log id", JSON.stringify({ ...PRIMARY, formatVersion: 1, logId: "abc" })],
  ["of a replica without a name", JSON.stringify({ role: "replica", formatVersion: 1 })],
  ["with a wrong page size", JSON.stringify({ ...PRIMARY, formatVersion: 1, pageSizeBytes: 1000 })],
])("a file that is %s is damaged, never taken for a new beginning", (_what, text) => {
  const path = join(temporaryFolder(), "meta.json");
  writeFileSync(path, text);
  expect(() => readMeta(path)).toThrow(
    expect.objectContaining({ code: "damaged", message: expect.stringContaining(path) }),
  );
});

test("a file of a later version is refused by its number", () => {
  const path = join(temporaryFolder(), "meta.json");
  writeMeta(path, PRIMARY);
  writeFileSync(path, readFileSync(path, "utf8").replace(`"formatVersion": 1`, `"formatVersion": 2`));
  expect(() => readMeta(path)).toThrow(
    expect.objectContaining({ code: "unknown_version", message: expect.stringContaining("version 2") }),
  );
});
