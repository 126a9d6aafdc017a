import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    // POSIX locks belong to a process: test files that open databases must not share one.
    pool: "forks",
    // Most of the time is spent waiting for processes that tests start, so more files than cores run at once.
    maxWorkers: 3,
    include: ["{src,primary,replica,shared,test}/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
export default config;
