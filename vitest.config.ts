import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    // POSIX locks belong to a process: test files that open databases must not share one.
    pool: "forks",
    include: ["{src,primary,replica,shared,test}/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
export default config;
