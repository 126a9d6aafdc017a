import { registerHooks } from "node:module";
import { watchForUncaught } from "./core/uncaught.ts";
import { installGlobals } from "./edges/globals.ts";
import { load, resolve } from "./module-hooks.ts";

/*
 * `node --import ./test/simulation/register.ts`: from here on the product's way out of its process leads into the
 * simulation, wherever a simulated process takes it. Outside of one everything is as it always was.
 */
registerHooks({ resolve, load });
installGlobals();
watchForUncaught();
