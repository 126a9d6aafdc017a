import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
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

it(
  "a replica killed at every step of its life goes on where it was; its readers see nothing torn, and nothing older",
  { timeout: 180_000 },
  async () => {
    const cleanup = new Cleanup();
    try {
      await liveAndDie(cleanup);
    } finally {
      await cleanup.run();
    }
  },
);

async function liveAndDie(cleanup: Cleanup): Promise<void> {
  const file = join(cleanup.folder, "app.db");
  const edge = join(cleanup.folder, "edge.db");
  const writer = await StepWriter.start(file, 100);
  const primary = cleanup.owns(await ServingProcess.start(["primary", file, "--durability", "os"]));

  /** It has to find its way from the death before. */
  const diesAt = async (point: string, unwanted: RegExp = UNWANTED): Promise<void> => {
    const { text } = await dieAt(point, (env) =>
      cleanup.owns(new NodeProcess(FOLLOW, [primary.url, edge, "os", "resync"], { env })),
    );
    expect(text, point).not.toMatch(unwanted);
  };
  /** A last life: it must get to a step that was only made after the crashes, and end in good order. */
  const recoversAndFollows = async (): Promise<void> => {
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
  };

  for (const point of [...BOOTSTRAP, ...EMPTY_WAL]) await diesAt(point);
  await recoversAndFollows();

  const watcher = await Watcher.start(edge);
  for (const point of [...FOLLOWING.map((name) => `${name}:3`), ...CHECKPOINTING]) await diesAt(point);
  await recoversAndFollows();
  await sawNoProblem(watcher, 5);

  // A resync takes a database that is no state of the primary to one that is: it may be announced as a step back.
  const tolerant = await Watcher.start(edge, { mayStepBack: true });
  shell(edge, "CREATE TABLE foreign_write(x); INSERT INTO foreign_write VALUES (randomblob(9000))");
  for (const point of RESYNC) await diesAt(point, /diverged/);
  await recoversAndFollows();
  expect(shell(edge, "SELECT count(*) FROM sqlite_schema WHERE name = 'foreign_write'")).toBe("0");

  const last = await writer.stop();
  const replica = cleanup.owns(await ServingProcess.start(["replica", primary.url, edge]));
  await until(
    "replica has caught up",
    () => stepOf(edge),
    (step) => step === last,
  );
  // What was there, what the resync made of it, and what came since.
  await sawNoProblem(tolerant, 2);
  await replica.stop();
  await primary.stop();
  assertSameBytes(file, edge);
}

async function sawNoProblem(watcher: Watcher, atLeast: number): Promise<void> {
  const watched = await watcher.stop();
  expect(watched.problem).toBeNull();
  expect(watched.states).toBeGreaterThan(atLeast);
}
