import { performance } from "node:perf_hooks";
import { SYSTEM_STORAGE } from "./log-writer.ts";
import type { LogStorage } from "./log-writer.ts";

/** The operating system's part, which tells how long each fsync took, in seconds. */
export function meteredStorage(onSync: (seconds: number) => void): LogStorage {
  return {
    ...SYSTEM_STORAGE,
    dataSync(descriptor) {
      const startMs = performance.now();
      SYSTEM_STORAGE.dataSync(descriptor);
      onSync((performance.now() - startMs) / 1000);
    },
  };
}
