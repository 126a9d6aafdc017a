/* The command line, in a process that ends with the one that has started it, however that ends: when its input does. */
process.stdin.on("end", () => process.exit(1)).resume();
// It keeps the process no longer than the command line itself does.
process.stdin.unref();
await import("../../src/main.ts");
