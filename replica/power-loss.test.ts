import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { decodeWalHeader, frameOffset } from "../shared/format/wal.ts";
import { decodeWalIndexHeader, readBackfill } from "../shared/format/wal-index.ts";
import { LogPrimary } from "../test/harness/log-primary.ts";
import { NodeProcess } from "../test/harness/node-process.ts";
import { Chance } from "../test/harness/seed.ts";
import { startFollowing } from "./follow-thread.ts";

/*
 * The machine of a replica goes down: of what was not forced to disk, some is there afterwards and some is not. The
 * replica's log copy is forced there before more is asked for, its SQLite WAL is not; so after the loss the database is
 * at an older state, and is brought up from the log copy by one commit. Another boot id stands for the new start.
 */
const FOLLOW = path.join(import.meta.dirname, "../test/programs/follow.ts");
const DIGEST_READER = path.join(import.meta.dirname, "../test/programs/digest-reader.ts");
/** Many processes, one after the other: also where the machine has much else to do. */
const STORY_LIMIT_MS = 120_000;
const NEXT_BOOT = "b".repeat(32);

/** Of its files as they were after a commit, and of their sizes. */
interface Moment {
  readonly walBytes: number;
  readonly logBytes: number;
  readonly wal: Buffer;
  readonly position: Buffer;
}

let folder: string;
let primary: LogPrimary;
let children: NodeProcess[] = [];
/** Of the replica that has died, after each of its commits. */
let moments: readonly Moment[];

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), "tailrace-power-"));
  primary = new LogPrimary(path.join(folder, "primary"));
  primary.insert(2000, 1000);
  await primary.listen();
  const child = launch();
  await child.waitFor(/ready/);
  moments = await followAndDie(child);
  mkdirSync(kept());
  execFileSync("cp", ["-a", edge(), wal(), `${edge()}-shm`, `${edge()}-tailrace`, kept()]);
});
/** Each begins with the files that the dead replica left. Written in place: another file would be another database. */
beforeEach(() => {
  for (const suffix of ["-wal", "-shm", "-tailrace"])
    rmSync(edge() + suffix, { recursive: true, force: true });
  execFileSync("cp", ["-r", `${kept()}/.`, folder]);
});
afterEach(async () => {
  for (const child of children.splice(0)) if (child.isRunning) await child.kill();
});
afterAll(async () => {
  await primary.close();
  rmSync(folder, { recursive: true, force: true });
});

const kept = (): string => path.join(folder, "kept");
const edge = (): string => path.join(folder, "edge.db");
const wal = (): string => `${edge()}-wal`;
const position = (): string => `${edge()}-tailrace/position`;

/** The newest segment of the replica's log copy. */
function newestSegment(): string {
  const logFolder = `${edge()}-tailrace/log`;
  const names = readdirSync(logFolder).filter((name) => name.endsWith(".log"));
  return path.join(logFolder, names.toSorted().at(-1)!);
}

function launch(env: Record<string, string> = {}, bootId?: string): NodeProcess {
  const argv = [primary.url, edge(), "commit", "resync", ...(bootId === undefined ? [] : [bootId])];
  const child = new NodeProcess(FOLLOW, argv, { env });
  children.push(child);
  return child;
}

/** The replica follows through commits of every kind, and dies where it stands. @returns how it was after each */
async function followAndDie(child: NodeProcess): Promise<Moment[]> {
  const passed: Moment[] = [];
  for (let commit = 0; commit < 8; commit++) {
    const txid = [
      () => primary.insert(20, 500),
      () => primary.commit(`UPDATE t SET body = randomblob(900) WHERE id % 37 = ${commit}`),
      () => primary.commit(`DELETE FROM t WHERE id % 41 = ${commit}`),
      () => primary.insert(1, 30_000),
    ][commit % 4]!();
    await child.waitFor(new RegExp(`^${txid}$`, "m"));
    const files = { wal: readFileSync(wal()), position: readFileSync(position()) };
    passed.push({ ...files, walBytes: files.wal.length, logBytes: statSync(newestSegment()).size });
  }
  await child.kill();
  return passed;
}

/**
 * Leaves of the SQLite WAL a random prefix that holds at least the frames which a checkpoint has copied (SQLite syncs
 * the WAL before it does), and after it nothing, zeros, or half a frame. The wal-index is made anew after a boot.
 */
function cutWal(chance: Chance): string {
  const { mxFrame } = decodeWalIndexHeader(readFileSync(`${edge()}-shm`))!;
  const copied = Math.min(readBackfill(readFileSync(`${edge()}-shm`)), mxFrame);
  const { pageSizeBytes } = decodeWalHeader(readFileSync(wal()))!;
  const frames = chance.integer(copied, mxFrame);
  const end = frameOffset(frames + 1, pageSizeBytes);
  const sizeBytes = statSync(wal()).size;
  const kind = chance.integer(0, 2);
  truncateSync(wal(), kind === 2 ? Math.min(end + 1000, sizeBytes) : end);
  if (kind === 1) truncateSync(wal(), sizeBytes);
  rmSync(`${edge()}-shm`);
  return `TEST_SEED=${chance.seed}: ${frames} of ${mxFrame} frames left, ending ${kind}`;
}

/** Starts again on the next boot, and proves that all is well. @returns what it said */
async function comeBack(what: string, bootId: string = NEXT_BOOT): Promise<string> {
  const replica = await startFollowing({
    primary: primary.url,
    file: edge(),
    dataDir: `${edge()}-tailrace`,
    driverName: "node:sqlite",
    durability: "commit",
    onForeignWrite: "stop",
    bootId,
  });
  const messages: string[] = [];
  replica.on("message", (text) => messages.push(text));
  try {
    primary.insert(1);
    await replica.sync();
    expect(replica.status(), what).toMatchObject({ position: { databaseChecksum: primary.checksum } });
  } finally {
    await replica.close();
  }
  primary.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  execFileSync("sqlite3", [edge(), "PRAGMA wal_checkpoint(TRUNCATE)"]);
  execFileSync("cmp", [primary.file, edge()]);
  return messages.join("\n");
}

const RESYNC = /resync|diverged|foreign/;

describe("a replica whose machine loses power", { timeout: STORY_LIMIT_MS }, () => {
  test("brings whatever is left of its WAL up from its log copy, without a resync, once and again", async () => {
    const chance = new Chance();
    for (let round = 0; round < 2; round++) {
      const what = `round ${round}, ${cutWal(chance)}`;
      const child = launch({}, String(round).repeat(32));
      await child.waitFor(/ready/);
      await followAndDie(child);
      expect(child.text, what).toContain("the machine went down");
      expect(child.text, what).not.toMatch(RESYNC);
    }
    const what = `round 2, ${cutWal(chance)}`;
    const said = await comeBack(what);
    expect(said, what).toContain("the machine went down");
    expect(said, what).not.toMatch(RESYNC);
  });

  test("finds its way from a position and a WAL of different moments", async () => {
    writeFileSync(wal(), moments[2]!.wal);
    writeFileSync(position(), moments[4]!.position);
    rmSync(`${edge()}-shm`);
    expect(await comeBack("")).not.toMatch(RESYNC);
  });

  test("whose log copy lost its end to damage goes on from its last whole record", async () => {
    truncateSync(wal(), moments[2]!.walBytes);
    const log = readFileSync(newestSegment());
    writeFileSync(newestSegment(), log.fill(0, moments[5]!.logBytes + 100));
    rmSync(`${edge()}-shm`);
    expect(await comeBack("")).not.toMatch(RESYNC);
  });

  test("whose log copy lost more than its database resyncs, also when it dies on the way to that", async () => {
    truncateSync(newestSegment(), moments[2]!.logBytes);
    rmSync(`${edge()}-shm`);
    const dying = launch({ TAILRACE_FAILPOINT: "resync.pages-fetched" }, NEXT_BOOT);
    await dying.waitFor(/diverged/);
    expect(await dying.exited).toMatchObject({ signal: "SIGKILL" });
    expect(await comeBack("")).toMatch(/resync: \d+ pages differed/);
  });

  test("whose log copy does not reach back to what its database kept resyncs", async () => {
    rmSync(path.dirname(newestSegment()), { recursive: true });
    truncateSync(wal(), 0);
    rmSync(`${edge()}-shm`);
    expect(await comeBack("")).toMatch(/resync: \d+ pages differed/);
  });

  test("and that dies while it is brought up, and once more, is brought up all the same", async () => {
    const what = cutWal(new Chance());
    for (const failpoint of ["apply.intent-written", "append.published"]) {
      const dying = launch({ TAILRACE_FAILPOINT: failpoint }, NEXT_BOOT);
      expect(await dying.exited, `${failpoint}, ${what}\n${dying.text}`).toMatchObject({ signal: "SIGKILL" });
    }
    expect(await comeBack(what)).not.toMatch(RESYNC);
  });

  test("after an orderly close with a reader in the way takes nothing for a foreign write", async () => {
    const child = launch();
    await child.waitFor(/ready/);
    const reader = new NodeProcess(DIGEST_READER, [edge()]);
    children.push(reader);
    await reader.waitFor(/\n/);
    await child.waitFor(new RegExp(`^${primary.insert(10)}$`, "m"));
    child.child.stdin.end();
    await child.exited;
    await reader.kill();
    const said = await comeBack("");
    expect(said).not.toMatch(RESYNC);
  });
});
