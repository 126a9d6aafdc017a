import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as after } from "node:timers/promises";
import { TailraceError } from "../../../shared/errors.ts";
import type { ErrorCode } from "../../../shared/errors.ts";
import { examine } from "../../../shared/examination/examine.ts";
import { LogPrimary } from "../../harness/log-primary.ts";
import { changeFolder, proposeFolder } from "../engine/folder-steps.ts";
import { WrongError, must } from "../engine/target.ts";
import type { OpenTarget, Outcome, Target } from "../engine/target.ts";
import { FollowedReplica } from "../http/followed-replica.ts";
import { PAGE_BYTES, copyFolder, formatOf } from "./data-folders.ts";

/** By the clock, on a machine that may have much else to do. */
const SETTLE_MS = 30_000;
const LOOK_MS = 2;

/**
 * The database and the data folder of a replica that was stopped in the midst of things, with an honest primary to follow:
 * it comes to have the primary's very bytes, or says by a known code why not.
 */
export const replicaFolderTarget: Target = {
  name: "replica-folder",
  shortRun: 4,
  maxMs: 5_000,
  async open(folder): Promise<OpenTarget> {
    const [sound, copy] = [join(folder, "sound"), join(folder, "copy")];
    mkdirSync(sound);
    const primary = new LogPrimary(join(folder, "primary"), { pageSizeBytes: PAGE_BYTES });
    primary.insert(20);
    await primary.listen();
    await makeReplica(sound, primary);
    primary.insert(5);
    const expected = restingBytes(primary.database, primary.file);
    return {
      propose: (chance) => proposeFolder(sound, formatOf, chance),
      run: async (steps) => {
        copyFolder(sound, copy);
        changeFolder(copy, formatOf, steps);
        examine({ folder: join(copy, "edge.db-tailrace"), isDeep: true, onProgress: () => {} });
        return await follow(join(copy, "edge.db"), primary, expected);
      },
      close: () => primary.close(),
    };
  },
};

/** Follows, and is left: what was received is applied, and the log copy goes on beyond the floor. */
async function makeReplica(folder: string, primary: LogPrimary): Promise<void> {
  const replica = new FollowedReplica(join(folder, "edge.db"), primary.url, 0);
  for (let commit = 0; commit < 4; commit++) {
    await settled(replica, primary);
    primary.insert(3);
  }
  await settled(replica, primary);
  await replica.close();
}

async function settled(replica: FollowedReplica, primary: LogPrimary): Promise<boolean> {
  const endMs = performance.now() + SETTLE_MS;
  while (replica.checksum !== primary.checksum && replica.stoppedBy === undefined) {
    if (performance.now() > endMs) return false;
    await after(LOOK_MS);
  }
  return true;
}

async function follow(file: string, primary: LogPrimary, expected: Buffer): Promise<Outcome> {
  const replica = new FollowedReplica(file, primary.url, 0);
  let isSettled: boolean;
  try {
    isSettled = await settled(replica, primary);
  } finally {
    await replica.close();
  }
  const { stoppedBy, status } = replica;
  if (stoppedBy !== undefined) throw new TailraceError(stoppedBy as ErrorCode, "the replica has stopped");
  if (!isSettled)
    throw new WrongError(
      `gets nowhere: ${status.state}, ${status.lastError?.code} ${status.lastError?.message}`,
    );
  const database = new DatabaseSync(file);
  try {
    must(restingBytes(database, file).equals(expected), "says that it is at the primary's state, and is not");
  } finally {
    database.close();
  }
  return "accepted";
}

function restingBytes(database: DatabaseSync, file: string): Buffer {
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  return readFileSync(file);
}
