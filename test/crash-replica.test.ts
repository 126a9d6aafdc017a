import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cleanup } from "./harness/cleanup.ts";
import * as failpoints from "./harness/failpoints.ts";
import { NodeProcess, ServingProcess, until } from "./harness/node-process.ts";
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
const FOLLOW = fileURLToPath(new URL("programs/follow.ts", import.meta.url));

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

/** What a replica that has only died says of nothing. */
const UNWANTED = /comparing|diverged|foreign/;

describe("a replica killed while it follows a database that Python writes", () => {
  const cleanup = new Cleanup();
  let file: string;
  let edge: string;
  let primary: ServingProcess;
  let writer: StepWriter;
  let watcher: Watcher;

  beforeAll(async () => {
    file = join(cleanup.folder, "app.db");
    edge = join(cleanup.folder, "edge.db");
    writer = await StepWriter.start(file, 100);
    primary = cleanup.owns(await ServingProcess.start(["primary", file, "--durability", "os"]));
  });

  afterAll(() => cleanup.run());

  /** It has to find its way from the death before. */
  async function diesAt(point: string, unwanted: RegExp = UNWANTED): Promise<void> {
    const { text } = await dieAt(point, (env) =>
      cleanup.owns(new NodeProcess(FOLLOW, [primary.url, edge, "os", "resync"], { env })),
    );
    expect(text).not.toMatch(unwanted);
  }

  /** A last life: it must get to a step that was only made after the crashes, and end in good order. */
  async function recoversAndFollows(): Promise<void> {
    const goal = stepOf(file) + 1;
    const argv = ["replica", primary.url, edge, "--on-foreign-write", "resync"];
    const replica = cleanup.owns(await ServingProcess.start(argv));
    await until(
      "replica goes on",
      () => stepOf(edge),
      (step) => step >= goal,
    );
    await replica.stop();
    expect(shell(edge, "PRAGMA integrity_check")).toBe("ok");
  }

  it.each([...BOOTSTRAP, ...EMPTY_WAL])(
    "at %s, while it has no database or has just got one",
    async (point) => {
      await diesAt(point);
    },
  );

  it("ends with a whole database; from here on a reader watches", async () => {
    await recoversAndFollows();
    watcher = await Watcher.start(edge);
  });

  it.each([...FOLLOWING.map((point) => `${point}:3`), ...CHECKPOINTING])(
    "at %s: the next life goes on where it was",
    async (point) => {
      await diesAt(point);
    },
  );

  it("never showed readers a torn state or an older one", async () => {
    await recoversAndFollows();
    const watched = await watcher.stop();
    expect(watched.problem).toBeNull();
    expect(watched.states).toBeGreaterThan(5);
  });

  it.each(RESYNC)("at %s, after someone else wrote to its file", async (point) => {
    if (point === RESYNC[0]) {
      // A resync takes a database that is no state of the primary to one that is: it may be announced as a step back.
      watcher = await Watcher.start(edge, { mayStepBack: true });
      shell(edge, "CREATE TABLE foreign_write(x); INSERT INTO foreign_write VALUES (randomblob(9000))");
    }
    await diesAt(point, /diverged/);
  });

  it("ends without what was written there", async () => {
    await recoversAndFollows();
    expect(shell(edge, "SELECT count(*) FROM sqlite_schema WHERE name = 'foreign_write'")).toBe("0");
  });

  it("never showed readers a torn state, and ends byte-identical", async () => {
    const last = await writer.stop();
    const replica = cleanup.owns(await ServingProcess.start(["replica", primary.url, edge]));
    await until(
      "replica has caught up",
      () => stepOf(edge),
      (step) => step === last,
    );
    const watched = await watcher.stop();
    expect(watched.problem).toBeNull();
    // What was there, what the resync made of it, and what came since.
    expect(watched.states).toBeGreaterThan(2);
    await replica.stop();
    await primary.stop();
    assertSameBytes(file, edge);
  });
});
