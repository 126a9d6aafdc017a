import type { Command } from "./command.ts";
import { checkCommand } from "./commands/check.ts";
import { checkpointCommand } from "./commands/checkpoint.ts";
import { demoCommand } from "./commands/demo.ts";
import { forgetCommand } from "./commands/forget.ts";
import { primaryCommand } from "./commands/primary.ts";
import { repairCommand } from "./commands/repair.ts";
import { replicaCommand } from "./commands/replica.ts";
import { replicasCommand } from "./commands/replicas.ts";
import { snapshotCommand } from "./commands/snapshot.ts";
import { snapshotsCommand } from "./commands/snapshots.ts";
import { statusCommand } from "./commands/status.ts";
import { verifyCommand } from "./commands/verify.ts";
import { walCommand } from "./commands/wal.ts";

/** All commands, in the order in which `--help` lists them: serve, look, act, examine offline. */
export const commands: readonly Command[] = [
  primaryCommand,
  replicaCommand,
  demoCommand,
  statusCommand,
  replicasCommand,
  walCommand,
  snapshotsCommand,
  verifyCommand,
  snapshotCommand,
  checkpointCommand,
  forgetCommand,
  checkCommand,
  repairCommand,
];
