import type { LoadHookSync, ResolveHookSync } from "node:module";
import { fileURLToPath } from "node:url";

const root = new URL("../../", import.meta.url).href;
const PRODUCT = ["primary/", "replica/", "shared/", "src/"].map((folder) => root + folder);

/** What reaches out of the process, and what stands in its place. */
const EDGES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "node:fs": "fs",
    "node:fs/promises": "fs-promises",
    "node:sqlite": "sqlite",
    "node:worker_threads": "worker-threads",
    "node:timers/promises": "timers-promises",
    "node:perf_hooks": "perf-hooks",
    "node:http": "http",
    "node:crypto": "crypto",
    "node:zlib": "zlib",
    "undici/lib/dispatcher/pool.js": "undici",
  }).map(([name, edge]) => [name, new URL(`edges/${edge}.ts`, import.meta.url).href]),
);

/** They compute. Of node:net the product has but the forms of addresses, of node:os what never changes. */
const PURE: ReadonlySet<string> = new Set([
  "node:async_hooks",
  "node:buffer",
  "node:events",
  "node:net",
  "node:os",
  "node:path",
  "node:stream",
  "node:url",
  "node:util",
]);

const WORKER_QUERY = "?worker";

/** The address of a worker's module as {@link WorkerModule}. */
export function workerUrl(module: URL): string {
  return module.href + WORKER_QUERY;
}

/** A worker's module, loaded once for all threads: what it does when it is loaded is here done by each call. */
export interface WorkerModule {
  run(own: { readonly parentPort: unknown; readonly workerData: unknown }): Promise<void>;
}

export const resolve: ResolveHookSync = (specifier, context, nextResolve) => {
  const parent = context.parentURL ?? "";
  if (!isProduct(parent)) return nextResolve(specifier, context);
  const edge = EDGES.get(specifier);
  if (edge !== undefined) return nextResolve(edge, context);
  if (specifier.startsWith("node:") && !PURE.has(specifier))
    throw new Error(`${parent} imports ${specifier}, which is not simulated`);
  return nextResolve(specifier, context);
};

export const load: LoadHookSync = (url, context, nextLoad) => {
  const loaded = nextLoad(url, context);
  if (!isProduct(url)) return loaded;
  const source = Buffer.from(loaded.source as Uint8Array).toString();
  return { ...loaded, source: url.endsWith(WORKER_QUERY) ? asFunction(source) : withMemoryOfThreads(source) };
};

function isProduct(url: string): boolean {
  return PRODUCT.some((folder) => url.startsWith(folder));
}

/** Its imports as they are, and all that follows them as the body of a function: each thread has variables of its own. */
function asFunction(source: string): string {
  const [imports = ""] = /^(?:import [^;]+;\n)+/.exec(source) ?? [];
  const body = source.slice(imports.length).replaceAll(/^export (?=type |interface )/gm, "");
  return `${imports.trimEnd()} export async function run({ parentPort, workerData }) {\n${body}}`;
}

/**
 * Modules are loaded once for all threads of all processes. What one of them remembers from call to call is in a map, and
 * in the simulation each thread has a map of its own.
 */
function withMemoryOfThreads(source: string): string {
  const replaced = source.replaceAll(
    /^const (\w+) = new Map(<.*>)\(\);$/gm,
    "const $1 = memoryOfThreads$2();",
  );
  if (replaced === source) return source;
  const memory = JSON.stringify(fileURLToPath(new URL("edges/thread-memory.ts", import.meta.url)));
  return `import { memoryOfThreads } from ${memory}; ${replaced}`;
}
