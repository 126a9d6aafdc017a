import { runCommandLine } from "./command-line.ts";
import { demoCommand } from "./commands/demo.ts";
import { primaryCommand } from "./commands/primary.ts";
import { replicaCommand } from "./commands/replica.ts";
import { statusCommand } from "./commands/status.ts";
import { verifyCommand } from "./commands/verify.ts";

// A reader that has seen enough (tailrace status … | head) closes the pipe: no error of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

/** The command line, once cli.ts has found this Node to be one that can run it. */
process.exitCode = await runCommandLine({
  commands: [primaryCommand, replicaCommand, demoCommand, statusCommand, verifyCommand],
  words: process.argv.slice(2),
  environment: process.env,
});
