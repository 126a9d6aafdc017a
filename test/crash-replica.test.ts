import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cleanup } from "./harness/cleanup.ts";
import * as failpoints from "./harness/failpoints.ts";
import { ServingProcess, until } from "./harness/node-process.ts";
import type { NodeProcess } from "./harness/node-process.ts";
import { assertSameBytes, shell, stepOf } from "./harness/shell.ts";
import { StepWriter } from "./harness/step-writer.ts";
import { Watcher } from "./harness/watcher.ts";

const {
  BOOTSTRAP,
  CHECKPOINTING,
  CLOSING,
  ELSEWHERE,
  EMPTY_WAL,
  FOLLOWING,
  PRIMARY,
  REPAIR,
  RESYNC,
  RETENTION,
  SNAPSHOT,
  dieAt,
} = failpoints;

/*
 * kill -9, everywhere. Failpoints (shared/failpoint.ts) are hit under load, one after the other; a reader in another
 * process and another SQLite watches the replica through all of them: no torn read, no step back, and in the end the
 * files are the same byte for byte.
 */
it("every failpoint in the product is in one of the lists here", () => {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const found = execFileSync(
    "grep",
    [
      "-rhoE",
      "--include=*.ts",
      "--exclude=*.test.ts",
      'failpoint\\("[a-z0-9.-]+"\\)',
      "primary",
      "replica",
      "shared",
      "src",
    ],
    { cwd: root, encoding: "utf8" },
  );
  const names = new Set(found.match(/"[^"]+"/g)!.map((text) => text.slice(1, -1)));
  const listed = [
    CLOSING,
    FOLLOWING,
    EMPTY_WAL,
    CHECKPOINTING,
    BOOTSTRAP,
    RESYNC,
    PRIMARY,
    REPAIR,
    RETENTION,
    SNAPSHOT,
    ELSEWHERE,
  ].flat();
  expect([...names].toSorted()).toEqual(listed.toSorted());
});

describe("a replica killed while it follows a database that Python writes", () => {
  const cleanup = new Cleanup();
  let file: string;
  let edge: string;
  let primary: ServingProcess;
  let writer: StepWriter;
  let watcher: Watcher;
  const replicaArguments = (): string[] => ["replica", primary.url, edge, "--on-foreign-write", "resync"];

  beforeAll(async () => {
    file = join(cleanup.folder, "app.db");
    edge = join(cleanup.folder, "edge.db");
    writer = await StepWriter.start(file, 100);
    primary = cleanup.owns(await ServingProcess.start(["primary", file, "--durability", "os"]));
  });

  afterAll(() => cleanup.run());

  const launch = (env: Record<string, string>): NodeProcess =>
    cleanup.owns(ServingProcess.launch(replicaArguments(), { env }));

  /** A new life: it must get to a step that was only made after the crash. */
  async function recoversAndFollows(): Promise<void> {
    const goal = stepOf(file) + 1;
    const replica = cleanup.owns(await ServingProcess.start(replicaArguments()));
    await until(
      "replica goes on",
      () => stepOf(edge),
      (step) => step >= goal,
    );
    await replica.stop();
    expect(shell(edge, "PRAGMA integrity_check")).toBe("ok");
  }

  it.each(BOOTSTRAP)("at %s: the next start ends with a whole database", async (point) => {
    for (const suffix of ["", "-wal", "-shm", "-tailrace"])
      rmSync(edge + suffix, { recursive: true, force: true });
    await dieAt(point, launch);
    await recoversAndFollows();
  });

  it.each(EMPTY_WAL)("at %s", async (point) => {
    await dieAt(point, launch);
    await recoversAndFollows();
  });

  it("(from here on a reader watches)", async () => {
    watcher = await Watcher.start(edge);
  });

  it.each(FOLLOWING)("at %s", async (point) => {
    await dieAt(`${point}:3`, launch);
    await recoversAndFollows();
  });

  it.each(CHECKPOINTING)("at %s", async (point) => {
    await dieAt(point, launch);
    await recoversAndFollows();
  });

  it("never showed readers a torn state or an older one", async () => {
    const watched = await watcher.stop();
    expect(watched.problem).toBeNull();
    expect(watched.states).toBeGreaterThan(5);
    // A resync takes a database that is no state of the primary to one that is: it may be announced as a step back.
    watcher = await Watcher.start(edge, { mayStepBack: true });
  });

  it.each(RESYNC)("at %s, after someone else wrote to its file", async (point) => {
    shell(
      edge,
      "CREATE TABLE IF NOT EXISTS foreign_write(x); INSERT INTO foreign_write VALUES (randomblob(9000))",
    );
    await dieAt(point, launch);
    await recoversAndFollows();
    expect(shell(edge, "SELECT count(*) FROM sqlite_schema WHERE name = 'foreign_write'")).toBe("0");
  });

  it("never showed readers a torn state, and ends byte-identical", async () => {
    const replica = cleanup.owns(await ServingProcess.start(replicaArguments()));
    const last = await writer.stop();
    await until(
      "replica has caught up",
      () => stepOf(edge),
      (step) => step === last,
    );
    const watched = await watcher.stop();
    expect(watched.problem).toBeNull();
    expect(watched.states).toBeGreaterThan(5);
    await replica.stop();
    await primary.stop();
    assertSameBytes(file, edge);
  });
});
