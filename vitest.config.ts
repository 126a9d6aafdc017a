import { fileURLToPath } from "node:url";
import { configDefaults, defineConfig, type ViteUserConfig } from "vitest/config";
import { LongestFirst } from "./test/harness/longest-first.ts";
import { pathToPython, testsThatLackOutsiders } from "./test/harness/outsiders.ts";

const TESTS = "{src,primary,replica,shared,test,bench}/**/*.test.ts";

const lacking = testsThatLackOutsiders(TESTS);
for (const [file, programs] of lacking)
  process.stderr.write(`skipped: ${file} needs ${programs.join(" and ")}, not on this machine\n`);

const config: ViteUserConfig = defineConfig({
  test: {
    // POSIX locks belong to a process: test files that open databases must not share one.
    pool: "forks",
    // Most of the time is spent waiting for processes that tests start, so more files than cores run at once.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    include: [TESTS],
    exclude: [...configDefaults.exclude, ...lacking.keys()],
    // Tests start this checkout's programs a few hundred times: compiled once, they start in half the time.
    env: {
      NODE_COMPILE_CACHE: fileURLToPath(new URL("node_modules/.cache/compiled", import.meta.url)),
      PATH: pathToPython(process.env["PATH"] ?? ""),
    },
    setupFiles: [fileURLToPath(new URL("test/harness/folders-in-memory.ts", import.meta.url))],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
export default config;
