import { globSync, readFileSync } from "node:fs";
import type { ResolveHookContext } from "node:module";
import { join } from "node:path";
import { expect, test } from "vitest";
import { resolve } from "./module-hooks.ts";

const root = join(import.meta.dirname, "../..");

/** Each is loaded once for all simulated processes: what it keeps must not be one process's. */
const STATELESS = new Map([
  ["shared/failpoint.ts", "none is set in the simulation"],
  ["shared/human.ts", "a formatter, made when first needed"],
]);

test("no module of the product remembers anything but in a map, of which each simulated thread has its own", () => {
  const modules = globSync("{primary,replica,shared,src}/**/*.ts", { cwd: root }).filter(
    (path) => !/(-worker|\.test)\.ts$|^src\/(demo|commands)\//.test(path),
  );
  expect(modules.length).toBeGreaterThan(100);
  const remembering = modules.filter((path) => {
    const source = readFileSync(join(root, path), "utf8");
    const isWrapped = /^const \w+ = new Map(<.*>)\(\);$/m.test(source);
    return (
      !isWrapped &&
      /^(export )?(let|var) |^(export )?const \w+.* = new (Map|WeakMap|Set)(<.*>)?\(\)/m.test(source)
    );
  });
  expect(remembering.filter((path) => !STATELESS.has(path))).toEqual([]);
});

test("what is not simulated cannot be imported by the product", () => {
  expect(() => load("node:dgram")).toThrow("imports node:dgram, which is not simulated");
  expect(load("node:fs")).toMatchObject({ url: expect.stringMatching(/edges\/fs\.ts$/) as string });
  expect(load("node:path")).toEqual({ url: "node:path" });
});

/** As a module of the product does. */
function load(specifier: string): unknown {
  const context = { parentURL: `file://${root}/shared/rpc.ts` } as ResolveHookContext;
  return resolve(specifier, context, (found) => ({ url: found }));
}
