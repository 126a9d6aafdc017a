/**
 * `npm run bench -- NAME…`: each benchmark answers one question with a table, and one line of JSON with its ratio
 * against a baseline of the same run. Results go to bench/results as well.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { formatTable } from "./harness/result.ts";
import type { Bench } from "./harness/result.ts";

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

/** It has options and a document of its own. */
if (process.argv[2] === "peers") {
  const { runPeers } = await import("./peers/run.ts");
  process.exit(await runPeers(process.argv.slice(3)));
}

const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in load));
if (names.length === 0 || unknown.length > 0) {
  console.error(unknown.length > 0 ? `no benchmark ${unknown.join(", ")}` : "which benchmark?");
  console.error(`usage: npm run bench -- NAME…   (${Object.keys(load).join(", ")}; all of them: all names)`);
  console.error(
    "       npm run bench -- peers [--only PEER,…] [--questions NAME,…] [--quick] [--repeat N] [--render]",
  );
  process.exit(2);
}

const results = new URL("results/", import.meta.url);
mkdirSync(results, { recursive: true });
for (const name of names) {
  const { bench } = await load[name]!();
  console.error(`${name}: ${bench.question}`);
  const { rows, figures } = await bench.run();
  const result = { bench: name, cores: availableParallelism(), node: process.version, ...figures };
  console.log(`${formatTable(rows)}\n${JSON.stringify(result)}\n`);
  writeFileSync(new URL(`${name}.json`, results), `${JSON.stringify({ ...result, rows }, null, 2)}\n`);
}
