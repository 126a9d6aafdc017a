import { Worker } from "node:worker_threads";
import type { WorkerOptions } from "node:worker_threads";

/**
 * What a thread makes lives for milliseconds, and collected often it never amounts to much. Left to itself, V8 lets it grow
 * to 32 MiB a thread before it looks, and an idle thread keeps what it has grown to.
 */
const MAX_YOUNG_GENERATION_MB = 4;

/**
 * The address of a worker's module beside the caller's: `.ts` in a checkout, `.js` in the published package.
 * `new URL("./x.ts", …)` would not be rewritten by the compiler.
 */
export function workerUrl(module: string, importMetaUrl: string): URL {
  return new URL(module + (importMetaUrl.endsWith(".ts") ? ".ts" : ".js"), importMetaUrl);
}

/** Starts a thread of Tailrace's own. @param url {@link workerUrl} */
export function startThread(
  url: URL,
  options: Required<Pick<WorkerOptions, "name" | "workerData">> & Pick<WorkerOptions, "transferList">,
): Worker {
  return new Worker(url, {
    ...options,
    resourceLimits: { maxYoungGenerationSizeMb: MAX_YOUNG_GENERATION_MB },
    // The end of a thread must close no descriptor: that would drop the process's locks (sqlite/held-files.ts).
    trackUnmanagedFds: false,
  });
}
