import type { Command, Operand } from "./command.ts";
import {
  checkpointSettings,
  forgetSettings,
  judgeSettings,
  lookSettings,
  snapshotSettings,
  verifySettings,
} from "./configuration/ask-settings.ts";
import { checkSettings, demoSettings, repairSettings } from "./configuration/local-settings.ts";
import { primarySettings, replicaSettings } from "./configuration/node-settings.ts";

const NODE: Operand = { name: "URL", description: "a node, as http://host:4800" };
const DATA_FOLDER: Operand = {
  name: "DIR",
  description: "a data folder, as app.db-tailrace, or the database that it belongs to",
};

/**
 * All commands, in the order in which `--help` lists them: serve, look, act, examine offline. What one does is loaded when
 * it runs: a node starts in half the time without the other twelve.
 */
export const commands: readonly Command[] = [
  command({
    name: "primary",
    summary: "follow the commits of FILE, whoever writes it, and serve them to replicas",
    operands: [{ name: "FILE", description: "the database; created if it is missing" }],
    settings: primarySettings,
    run: async (call) => (await import("./commands/primary.ts")).run(call),
  }),
  command({
    name: "replica",
    summary: "keep FILE byte-identical to the database of the node at URL, while anybody reads it",
    operands: [
      { name: "URL", description: "a primary or another replica, as http://host:4800" },
      {
        name: "FILE",
        description: "the replica's database; made if it is missing, never another database overwritten",
      },
    ],
    settings: replicaSettings,
    run: async (call) => (await import("./commands/replica.ts")).run(call),
  }),
  command({
    name: "demo",
    summary:
      "run a primary, replicas and a writer here, show their lag live, and prove the replicas byte-identical",
    operands: [],
    settings: demoSettings,
    run: async (call) => (await import("./commands/demo.ts")).run(call),
  }),
  command({
    name: "status",
    summary: "show how the node at URL and its replicas are, what is wrong, and what to do",
    operands: [NODE],
    settings: judgeSettings,
    run: async (call) => (await import("./commands/status.ts")).run(call),
  }),
  command({
    name: "replicas",
    summary: "list the replicas that the node at URL feeds, the worst first",
    operands: [NODE],
    settings: judgeSettings,
    run: async (call) => (await import("./commands/replicas.ts")).run(call),
  }),
  command({
    name: "wal",
    summary: "show the log of the node at URL, file by file and what each is kept for, and its SQLite WAL",
    operands: [NODE],
    settings: lookSettings,
    run: async (call) => (await import("./commands/wal.ts")).run(call),
  }),
  command({
    name: "snapshots",
    summary: "list the snapshots of the node at URL, from which new replicas begin",
    operands: [NODE],
    settings: lookSettings,
    run: async (call) => (await import("./commands/snapshots.ts")).run(call),
  }),
  command({
    name: "verify",
    summary: "compare two nodes at one txid by their database checksums, while they move",
    operands: [NODE, { name: "URL2", description: "the node to compare it with" }],
    settings: verifySettings,
    run: async (call) => (await import("./commands/verify.ts")).run(call),
  }),
  command({
    name: "snapshot",
    summary: "have the node at URL take a snapshot now, and wait for it",
    operands: [NODE],
    settings: snapshotSettings,
    run: async (call) => (await import("./commands/snapshot.ts")).run(call),
  }),
  command({
    name: "checkpoint",
    summary: "have the node at URL copy its SQLite WAL into the database file now",
    operands: [NODE],
    settings: checkpointSettings,
    run: async (call) => (await import("./commands/checkpoint.ts")).run(call),
  }),
  command({
    name: "forget",
    summary: "have the node at URL forget the replica ID, and keep no more log for it",
    operands: [NODE, { name: "ID", description: "of the replica, as tailrace replicas lists it" }],
    settings: forgetSettings,
    run: async (call) => (await import("./commands/forget.ts")).run(call),
  }),
  command({
    name: "check",
    summary: "examine a data folder that no node is using; nothing is changed",
    operands: [DATA_FOLDER],
    settings: checkSettings,
    exitCodes: {
      0: "the next start goes on; what a crash or a loss of power has left, it puts in order by itself",
      1: "it could not be examined: a node is running on it, or a later version of Tailrace wrote it",
      3: "something is damaged",
    },
    run: async (call) => (await import("./commands/check.ts")).run(call),
  }),
  command({
    name: "repair",
    summary: "cut a damaged end off the log in a data folder, after saying what would go",
    operands: [DATA_FOLDER],
    settings: repairSettings,
    exitCodes: {
      0: "done, or there was nothing to repair: a replica mends itself",
      1: "it could not be examined, or the disk has failed",
      3: "something stays damaged: it was not agreed to, or repair cannot mend it",
    },
    run: async (call) => (await import("./commands/repair.ts")).run(call),
  }),
];

/** Each has settings of a type of its own, which its `run` is given. */
function command<Settings>(it: Command<Settings>): Command<Settings> {
  return it;
}
