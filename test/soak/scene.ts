import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compilePackage } from "../../bench/harness/compiled.ts";

/** What runs in a soak: as users run it, compiled; or this checkout's source, which takes no time to compile. */
export interface Scene {
  /** The command line's module. */
  readonly cli: string;
  /** That of `tailrace/primary`. */
  readonly library: string;
  /** The application that owns its database. */
  readonly application: string;
}

const APPLICATION = fileURLToPath(new URL("../programs/soak-primary.ts", import.meta.url));

export function sourceScene(): Scene {
  return {
    cli: fileURLToPath(new URL("../../src/cli.ts", import.meta.url)),
    library: new URL("../../src/primary.ts", import.meta.url).href,
    application: APPLICATION,
  };
}

/** Compiles into the folder. No thread of any process then needs a compiler, which has memory of its own. */
export function builtScene(folder: string): Scene {
  mkdirSync(folder);
  const cli = compilePackage(join(folder, "package"));
  const application = join(folder, "soak-primary.mjs");
  writeFileSync(application, stripTypeScriptTypes(readFileSync(APPLICATION, "utf8")));
  return { cli, library: join(cli, "..", "primary.js"), application };
}
