/** `npm run bench -- --help` */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { endsEarly } from "../test/harness/tool/early-end.ts";
import { readOrExit } from "../test/harness/tool/tool.ts";
import { formatTable } from "./harness/result.ts";
import type { Bench } from "./harness/result.ts";
import { benchTool } from "./options.ts";

const load: Readonly<Record<string, () => Promise<{ readonly bench: Bench }>>> = {
  lag: () => import("./lag.ts"),
  apply: () => import("./apply.ts"),
  bootstrap: () => import("./bootstrap.ts"),
  capture: () => import("./capture.ts"),
  commit: () => import("./commit.ts"),
  fanout: () => import("./fanout.ts"),
  idle: () => import("./idle.ts"),
  guard: () => import("./guard.ts"),
};

/** It has options and a document of its own, and ends its own processes. */
if (process.argv[2] === "peers") {
  const { runPeers } = await import("./peers/run.ts");
  process.exit(await runPeers(process.argv.slice(3)));
}

const { only: names } = readOrExit(benchTool(Object.keys(load)));
endsEarly("bench", tmpdir(), (signal) => console.error(`ended early by ${signal}`));

const results = new URL("results/", import.meta.url);
mkdirSync(results, { recursive: true });
for (const name of names) {
  const { bench } = await load[name]!();
  console.error(`${name}: ${bench.question}`);
  const { rows, figures, conclusion } = await bench.run();
  const result = { bench: name, cores: availableParallelism(), node: process.version, ...figures };
  console.log(`${formatTable(rows)}\n${JSON.stringify(result)}\n`);
  if (conclusion !== undefined) console.log(conclusion);
  writeFileSync(new URL(`${name}.json`, results), `${JSON.stringify({ ...result, rows }, null, 2)}\n`);
}
