/**
 * The address of a worker's module beside the caller's: `.ts` in a checkout, `.js` in the published package.
 * `new URL("./x.ts", …)` would not be rewritten by the compiler.
 */
export function workerUrl(module: string, importMetaUrl: string): URL {
  return new URL(module + (importMetaUrl.endsWith(".ts") ? ".ts" : ".js"), importMetaUrl);
}
