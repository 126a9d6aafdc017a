import { runCommandLine } from "./command-line.ts";
import { commands } from "./commands.ts";

// A reader that has seen enough (tailrace status … | head) closes the pipe: no error of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

/** The command line, once cli.ts has found this Node to be one that can run it. */
process.exitCode = await runCommandLine({
  commands,
  words: process.argv.slice(2),
  environment: process.env,
});
