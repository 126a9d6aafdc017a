import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cleanup } from "./harness/cleanup.ts";
import { ServingProcess, until } from "./harness/node-process.ts";
import { assertSameBytes, shell, stepOf } from "./harness/shell.ts";
import { StepWriter } from "./harness/step-writer.ts";
import { Watcher } from "./harness/watcher.ts";

/* Neither the application nor the readers know of Tailrace: Python writes, the sqlite3 shell and Python read. */
describe("a database that Python writes, and a replica that outsiders read while it moves", () => {
  const cleanup = new Cleanup();
  const file = join(cleanup.folder, "app.db");
  const edge = join(cleanup.folder, "edge.db");
  let primary: ServingProcess;
  let replica: ServingProcess;
  let writer: StepWriter;
  let watcher: Watcher;

  beforeAll(async () => {
    writer = await StepWriter.start(file, 200);
    primary = cleanup.owns(await ServingProcess.start(["primary", file]));
    replica = cleanup.owns(await ServingProcess.start(["replica", primary.url, edge]));
    await until(
      "replica is there",
      () => stepOf(edge),
      (step) => step >= 0,
    );
    watcher = await Watcher.start(edge);
  });

  afterAll(() => cleanup.run());

  it("passes the sqlite3 shell's integrity check again and again, each time at a later state", () => {
    let last = -1;
    for (let look = 0; look < 20; look++) {
      const answer = shell(
        `file:${edge}?mode=ro`,
        "BEGIN; SELECT min(n), max(n) FROM spread; PRAGMA integrity_check; COMMIT;",
      );
      const [, min, max, verdict] = /^(\d+)\|(\d+)\n([^]*)$/.exec(answer) ?? [];
      expect(verdict).toBe("ok");
      expect(min).toBe(max);
      expect(Number(min)).toBeGreaterThanOrEqual(last);
      last = Number(min);
    }
    expect(last).toBeGreaterThan(0);
  });

  it("follows an application that closes its database, and one that opens it again", async () => {
    const last = await writer.stop();
    await until(
      "replica is level",
      () => stepOf(edge),
      (step) => step === last,
    );
    writer = await StepWriter.start(file, 200);
    await until(
      "replica goes on",
      () => stepOf(edge),
      (step) => step > last + 20,
    );
  });

  it("follows the shell: a schema change, a truncating checkpoint, a VACUUM into another shape", async () => {
    shell(file, "ALTER TABLE spread ADD COLUMN extra DEFAULT 'new'; CREATE INDEX spread_n ON spread(n);");
    shell(file, "PRAGMA wal_checkpoint(TRUNCATE);");
    shell(file, "VACUUM;");
    const columns = "SELECT group_concat(name) FROM pragma_table_info('spread')";
    await until(
      "replica has the column",
      () => shell(`file:${edge}?mode=ro`, columns),
      (text) => text === "id,n,pad,extra",
    );
    expect(shell(`file:${edge}?mode=ro`, "PRAGMA integrity_check")).toBe("ok");
  });

  it("ends byte-identical; no reader ever failed, saw a torn state, or went back", async () => {
    const last = await writer.stop();
    await until(
      "replica is level",
      () => stepOf(edge),
      (step) => step === last,
    );
    const watched = await watcher.stop();
    expect(watched.problem).toBeNull();
    expect(watched.reads).toBeGreaterThan(50);
    expect(watched.states).toBeGreaterThan(2);
    await replica.stop();
    await primary.stop();
    assertSameBytes(file, edge);
  });
});
