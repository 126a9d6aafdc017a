import { readFileSync } from "node:fs";

/** Of Tailrace, as its package.json says. */
export function packageVersion(): string {
  // One folder up in a checkout, two in the published package (dist/src).
  const up = import.meta.url.endsWith(".ts") ? "../package.json" : "../../package.json";
  return (JSON.parse(readFileSync(new URL(up, import.meta.url), "utf8")) as { version: string }).version;
}
