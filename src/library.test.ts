import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import BetterSqlite3 from "better-sqlite3";
import type { Database } from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openPrimary } from "./primary.ts";
import type { Notice, Primary } from "./primary.ts";
import { openReplica } from "./replica.ts";
import type { Replica } from "./replica.ts";

/** What the two libraries' connections have in common. */
interface Handle {
  exec(sql: string): unknown;
  prepare(sql: string): { get(): unknown };
}

let folder = "";
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "tailrace-library-")));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);
const listen = { port: 0 };
/** What a node tells from here on. */
const collect = (node: Pick<Primary | Replica, "on">): Notice[] => {
  const notices: Notice[] = [];
  node.on("notice", (notice: Notice) => notices.push(notice));
  return notices;
};

describe("the library", () => {
  test("what is committed here is read there, once it was waited for, and announced; nobody writes there", async () => {
    await using primary = await openPrimary({ file: path("app.db"), listen });
    // The address, once told, is answered as it should be.
    expect((await fetch(`${primary.address}/readyz`)).status).toBe(200);
    primary.database.exec("CREATE TABLE notes (text); INSERT INTO notes VALUES ('first')");
    await using replica = await openReplica({ primary: primary.address ?? "", file: path("edge.db") });

    const announced: number[] = [];
    replica.on("applied", (event) => announced.push(event.txid));
    primary.database.exec("INSERT INTO notes VALUES ('second')");
    const { txid, cursor } = await primary.durable();
    expect(cursor.segment).toBe(1);
    await replica.waitFor(txid, { timeoutMs: 10_000 });
    expect(replica.database.prepare("SELECT text FROM notes").all()).toEqual([
      { text: "first" },
      { text: "second" },
    ]);

    primary.database.exec("DELETE FROM notes");
    await primary.durable();
    expect(await replica.sync()).toBe(txid + 1);
    expect(replica.database.prepare("SELECT count(*) AS n FROM notes").get()).toEqual({ n: 0 });
    await expect.poll(() => announced).toEqual(expect.arrayContaining([txid, txid + 1]));
    expect(() => replica.database.exec("INSERT INTO notes VALUES ('mine')")).toThrow(/readonly/);
  });

  test("limits change while it is open, all or none", async () => {
    await using primary = await openPrimary({ file: path("app.db"), listen, keepLogBytes: 5 << 20 });
    expect(primary.status().log).toMatchObject({ keepBytes: 5 << 20 });
    await primary.configure({ keepLogBytes: 7 << 20, maxLogBytes: 0 });
    const changed = { keepBytes: 7 << 20, maxBytes: null };
    await expect.poll(() => primary.status().log).toMatchObject(changed);
    const wrong = primary.configure({ keepLogBytes: 9 << 20, keepSnapshots: 0 });
    await expect(wrong).rejects.toMatchObject({ code: "invalid_request" });
    await expect.poll(() => primary.status().log).toMatchObject(changed);

    primary.database.exec("CREATE TABLE t (x)");
    await using replica = await openReplica({ primary: primary.address ?? "", file: path("edge.db") });
    await replica.configure({ keepLogBytes: 3 << 20 });
    await expect.poll(() => replica.status().log).toMatchObject({ keepBytes: 3 << 20 });
    await expect(replica.configure({ maxLogBytes: 2 << 20 })).rejects.toThrow(
      "option maxLogBytes is 2097152: less than keepLogBytes, which is 3145728",
    );
  });

  test("what an operator should know comes as typed notices, also from before anybody could listen", async () => {
    await using primary = await openPrimary({ file: path("app.db"), listen });
    const ofPrimary = collect(primary);
    const messages: string[] = [];
    primary.on("message", (text) => messages.push(text));
    const url = primary.address ?? "";
    await using replica = await openReplica({ primary: url, file: path("edge.db"), id: "edge-1" });
    const ofReplica = collect(replica);

    await expect.poll(() => ofReplica.map(({ name }) => name)).toContain("bootstrap_done");
    expect(ofReplica).toContainEqual({
      level: "info",
      name: "bootstrap_started",
      text: `fetching a snapshot from ${url}/`,
      fields: { source: `${url}/` },
    });
    await expect.poll(() => ofPrimary.map(({ name }) => name)).toContain("replica_seen");
    const fields = { id: "edge-1", address: "127.0.0.1" };
    const text = "replica edge-1 at 127.0.0.1 follows";
    expect(ofPrimary).toContainEqual({ level: "info", name: "replica_seen", text, fields });
    expect(messages).toContain(text);
  });

  test("a status is the state as of the call", async () => {
    await using primary = await openPrimary({ file: path("app.db"), listen });
    const replica = await openReplica({ primary: primary.address ?? "", file: path("edge.db") });
    for (let step = 1; step <= 8; step++) {
      primary.database.exec(step === 1 ? "CREATE TABLE t (x)" : "INSERT INTO t VALUES (1)");
      const { txid } = await primary.durable();
      await expect.poll(() => primary.status()).toMatchObject({ role: "primary", log: { headTxid: txid } });
      const askedMs = Date.now();
      await replica.waitFor(txid);
      const status = replica.status();
      expect(status).toMatchObject({ role: "replica", position: { txid } });
      expect(status.asOfMs).toBeGreaterThanOrEqual(askedMs);
    }
    await replica.close();
    expect(() => replica.status()).toThrow(expect.objectContaining({ code: "closed" }));
  });

  test("the same with better-sqlite3, whose connections they then are", async () => {
    const driver = "better-sqlite3";
    await using primary = await openPrimary<Database>({ file: path("app.db"), listen, driver });
    primary.database.exec("CREATE TABLE notes (text); INSERT INTO notes VALUES ('first')");
    await primary.durable();
    await using replica = await openReplica<Database>({
      primary: primary.address ?? "",
      file: path("edge.db"),
      driver,
    });
    await replica.sync();
    expect(replica.database.pragma("journal_mode", { simple: true })).toBe("wal");
    expect(replica.database.prepare("SELECT text FROM notes").pluck().all()).toEqual(["first"]);
  });

  test.each(["node:sqlite", "better-sqlite3"] as const)(
    "with %s a replica whose file was deleted fetches it again, and gives a connection to the new one",
    async (driver) => {
      await using primary = await openPrimary<Handle>({ file: path("app.db"), listen, driver });
      primary.database.exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
      const file = path("edge.db");
      const options = { primary: primary.address ?? "", file, driver };
      await using replica = await openReplica<Handle>(options);
      await replica.sync();
      const before = replica.database;
      const rows = before.prepare("SELECT count(*) AS n FROM t");
      expect(rows.get()).toEqual({ n: 1 });
      const rebuilt = new Promise<void>((resolve) => replica.once("rebuilt", resolve));
      for (const end of ["", "-wal", "-shm"]) rmSync(file + end, { force: true });
      await rebuilt;
      primary.database.exec("INSERT INTO t VALUES (2)");
      await primary.durable();
      await replica.sync();
      expect(replica.database === before).toBe(false);
      expect(() => rows.get()).toThrow();
      expect(replica.database.prepare("SELECT count(*) AS n FROM t").get()).toEqual({ n: 2 });
      // The end of the last connection to the deleted file took nothing of the new one's away.
      expect(execFileSync("sqlite3", [file, "SELECT count(*) FROM t"], { encoding: "utf8" })).toBe("2\n");
    },
  );

  test("what was said while opening reaches a listener that is added right after; without listen nothing is served", async () => {
    await using primary = await openPrimary({ file: path("app.db") });
    expect(await new Promise((resolve) => primary.once("message", resolve))).toContain("WAL mode");
    expect(primary.address).toBeUndefined();
  });

  test("closing leaves an ordinary database, and closing twice is closing once", async () => {
    const primary = await openPrimary({ file: path("app.db"), listen });
    primary.database.exec("CREATE TABLE t (x)");
    await primary.close();
    await primary.close();
    expect(existsSync(path("app.db-wal"))).toBe(false);
    expect(() => primary.database).toThrow(expect.objectContaining({ code: "closed" }));
    await expect(primary.durable()).rejects.toMatchObject({ code: "closed" });
  });

  test("an opening that takes too long can be given up", async () => {
    const signal = AbortSignal.timeout(200);
    // Port 9 is nobody's: the replica would try for ever.
    const opening = openReplica({ primary: "http://127.0.0.1:9", file: path("edge.db"), signal });
    await expect(opening).rejects.toThrow(/timeout/i);
  });
});

describe("one SQLite library per process and file", () => {
  test("a primary that is open through one driver is not opened through the other", async () => {
    await using primary = await openPrimary({ file: path("app.db") });
    const second = openReplica({
      primary: "http://127.0.0.1:9",
      file: primary.file,
      driver: "better-sqlite3",
    });
    await expect(second).rejects.toMatchObject({ code: "driver_conflict" });
  });

  test("the user's own connection through the same library is none of Tailrace's business", async () => {
    const own = new BetterSqlite3(path("app.db"));
    own.exec("CREATE TABLE t (x)");
    const primary = await openPrimary({ file: path("app.db"), driver: "better-sqlite3" });
    await primary.close();
    own.close();
  });
});

describe("wrong options are refused by name", () => {
  test.each([
    [{ file: "" }, "option file is"],
    [{ file: 7 }, "option file is 7"],
    [{ file: "a.db", listen: { port: 70_000 } }, "option listen.port is 70000"],
    [{ file: "a.db", listen: { port: 0, host: "0.0.0.0" } }, 'host is "0.0.0.0"'],
    [{ file: "a.db", durability: "never" }, 'option durability is "never"'],
    [{ file: "a.db", drivr: "x" }, 'option drivr is "x"'],
    [undefined, "option object is undefined"],
  ])("%j", async (options, message) => {
    await expect(openPrimary(options as never)).rejects.toThrow(message);
  });

  test("a primary that is no URL", async () => {
    await expect(openReplica({ primary: "localhost:4800", file: path("edge.db") })).rejects.toMatchObject({
      code: "invalid_request",
      message: 'option primary is "localhost:4800": not an http URL',
    });
  });
});
