import { enableCompileCache } from "node:module";
import { join } from "node:path";

/*
 * `node --import ./test/simulation/register.ts`: from here on the product's way out of its process leads into the
 * simulation, wherever a simulated process takes it. Outside of one everything is as it always was.
 *
 * What is loaded from here on is compiled once for all runs: that is most of a run's start.
 */
enableCompileCache(join(import.meta.dirname, "../../node_modules/.cache/simulation"));
await import("./install.ts");
