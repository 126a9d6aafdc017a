import type { ResourceLimits } from "node:worker_threads";

/**
 * The address of a worker's module beside the caller's: `.ts` in a checkout, `.js` in the published package.
 * `new URL("./x.ts", …)` would not be rewritten by the compiler.
 */
export function workerUrl(module: string, importMetaUrl: string): URL {
  return new URL(module + (importMetaUrl.endsWith(".ts") ? ".ts" : ".js"), importMetaUrl);
}

/**
 * Of threads that work without pause: what they make lives for milliseconds, and collected often it never amounts to much.
 * Left to itself, V8 lets it grow to 32 MiB a thread before it looks.
 */
export const SMALL_YOUNG_GENERATION: ResourceLimits = { maxYoungGenerationSizeMb: 8 };
