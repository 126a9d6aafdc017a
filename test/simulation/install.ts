import { registerHooks } from "node:module";
import { watchForUncaught } from "./core/uncaught.ts";
import { installGlobals } from "./edges/globals.ts";
import { load, resolve } from "./module-hooks.ts";

registerHooks({ resolve, load });
installGlobals();
watchForUncaught();
