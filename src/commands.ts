import type { Command } from "./command.ts";
import { checkCommand } from "./commands/check.ts";
import { demoCommand } from "./commands/demo.ts";
import { primaryCommand } from "./commands/primary.ts";
import { repairCommand } from "./commands/repair.ts";
import { replicaCommand } from "./commands/replica.ts";
import { statusCommand } from "./commands/status.ts";
import { verifyCommand } from "./commands/verify.ts";

/** All commands, in the order in which `--help` lists them: serve, look, act. */
export const commands: readonly Command[] = [
  primaryCommand,
  replicaCommand,
  demoCommand,
  statusCommand,
  verifyCommand,
  checkCommand,
  repairCommand,
];
