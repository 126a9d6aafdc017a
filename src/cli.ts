#!/usr/bin/env node
/*
 * The door: on a Node that is too old the rest cannot even be loaded, and would say so in words that help nobody. So
 * nothing is imported statically here.
 */
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 24 || (major === 24 && minor < 15)) {
  process.stderr.write(
    `error driver_unavailable: Node ${process.versions.node} has no node:sqlite that will do\n`,
  );
  process.stderr.write("  Run Node 24.15 or later.\n");
  process.exitCode = 1;
} else {
  await import("./main.ts");
}
