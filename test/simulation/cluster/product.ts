/*
 * The product, which is loaded in a process that has the hooks of register.ts. What it would load later is loaded here:
 * that takes real time, of which a step has none.
 */
import "../../../shared/sqlite/node-sqlite.ts";

export { openPrimary } from "../../../src/primary.ts";
export { openReplica } from "../../../src/replica.ts";
