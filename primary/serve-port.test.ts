import { execFileSync } from "node:child_process";
import { expect, onTestFinished, test } from "vitest";
import type { NodeHead } from "../shared/serve/engine.ts";
import { CapturedDatabase } from "../test/harness/captured-database.ts";
import { hearHeads } from "../test/harness/heads.ts";
import { serving } from "../test/harness/serve-captured.ts";

const SETUP = "c.execute('pragma journal_mode=wal')\nc.execute('create table t(a integer primary key, b)')\n";

test("while the file is replaced the node is unready, says why, and then serves the new log", async () => {
  const database = new CapturedDatabase();
  database.python(SETUP);
  await database.start();
  const url = await serving(database);
  const { logId } = (await database.status()).log;
  const other = new CapturedDatabase();
  other.python(SETUP);
  execFileSync("sh", [
    "-c",
    `rm ${database.file}-wal ${database.file}-shm; mv ${other.file} ${database.file}`,
  ]);

  const ask = async (): Promise<string> => {
    const response = await fetch(`${url}/wal?segment=1&offset=0&max_bytes=65536`);
    return response.status === 200 ? response.headers.get("wal-log-id")! : await response.text();
  };
  await expect
    .poll(ask, { timeout: 10_000, interval: 10 })
    .toContain("was replaced; waiting for the new file");
  expect((await fetch(`${url}/readyz`)).status).toBe(503);
  await expect.poll(ask, { timeout: 10_000, interval: 20 }).toMatch(/^[0-9a-f]{32}$/);
  expect(await ask()).not.toBe(logId);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
});

test("mode group: many commits share an fsync, and all are told of, in order, whether somebody waits or not", async () => {
  const database = new CapturedDatabase({ durability: "group" });
  database.python(SETUP);
  database.keepStart();
  await database.start();
  const heads: NodeHead[] = [];
  onTestFinished(await hearHeads(database.capture, (head) => heads.push(head)));
  database.python("for i in range(300): c.execute('insert into t(b) values(?)', (os.urandom(500),))");
  await expect.poll(() => heads.at(-1)?.txid, { timeout: 10_000, interval: 5 }).toBe(300);
  expect(heads.map(({ txid }) => txid)).toEqual(heads.map(({ txid }) => txid).toSorted((a, b) => a - b));

  database.python("c.execute('insert into t(b) values(1)')");
  const answers = await Promise.all(Array.from({ length: 64 }, () => database.capture.durable()));
  expect(new Set(answers.map(({ txid }) => txid))).toEqual(new Set([301]));
  await expect.poll(() => heads.at(-1)).toMatchObject({ txid: 301, end: answers[0]!.cursor });
  expect(await database.prove()).toBe(301);
});
