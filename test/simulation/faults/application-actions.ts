import type { Random } from "../core/random.ts";
import { changeSchema, rewrite, shrink, swell, transfer } from "../world/transactions.ts";
import type { World } from "../world/world.ts";
import { use } from "./action.ts";
import type { Action } from "./action.ts";

/** A transaction that is left open ends by itself after this at the latest. */
const MAX_OPEN_MS = 3_000;

const PRAGMAS = [
  "synchronous = NORMAL",
  "synchronous = FULL",
  "wal_autocheckpoint = 0",
  "wal_autocheckpoint = 20",
  "wal_autocheckpoint = 1000",
  "cache_size = 10",
  "cache_size = 2000",
  "incremental_vacuum(5)",
] as const;

const CHECKPOINTS = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"] as const;

/** What the application does with its database. */
export const applicationActions: Readonly<Record<string, Action>> = {
  transfer: use(30, ({ application }, random) => application.transact(random, transfer)),
  rewrite: use(5, ({ application }, random) => application.transact(random, rewrite)),
  swell: use(0.4, ({ application }, random) => application.transact(random, swell)),
  shrink: use(1.5, ({ application }, random) => application.transact(random, shrink)),
  "change schema": use(2, ({ application }, random) => application.transact(random, changeSchema)),
  "roll back": use(3, ({ application }, random) =>
    application.transact(random, random.pick([transfer, rewrite, changeSchema]), { isUndone: true }),
  ),
  "roll back a large one": use(0.3, ({ application }, random) =>
    application.transact(random, swell, { isUndone: true }),
  ),
  burst: use(2, ({ application }, random) => {
    for (let count = 5 + random.int(25); count > 0; count--) application.transact(random, transfer);
  }),
  "leave open": use(2, leaveOpen),
  vacuum: use(0.6, ({ application }) => application.run("VACUUM")),
  checkpoint: use(2, ({ application }, random) =>
    application.run(`PRAGMA wal_checkpoint(${random.pick(CHECKPOINTS)})`),
  ),
  pragma: use(2, ({ application }, random) => application.run(`PRAGMA ${random.pick(PRAGMAS)}`)),
  "user version": use(0.5, ({ application }, random) =>
    application.run(`PRAGMA user_version = ${1 + random.int(1_000_000)}`),
  ),
  visit: use(2, ({ application }) => application.visit()),
  acknowledge: use(6, (world) => world.acknowledge()),
  "restart application": use(0.7, (world, random) => {
    world.application.stop();
    world.after(random.int(1000), "application starts", () => world.startApplication());
  }),
  hold: use(2, (world, random) => {
    const site = random.pick(world.sites);
    world.hold(site);
    world.after(random.int(5_000), "reader lets go", () => world.release(site));
  }),
  "look again": use(4, (world) => world.lookAgain()),
};

/** Begins a transaction, which goes on later, and ends later still. */
function leaveOpen(world: World, random: Random): void {
  const { application } = world;
  if (application.isInTransaction || !application.begin(random, transfer)) return;
  const ms = random.float() * MAX_OPEN_MS;
  world.after(ms / 2, "transaction goes on", () =>
    application.extend(random, random.pick([transfer, rewrite])),
  );
  world.after(ms, "transaction ends", () => application.end(random.chance(0.3)));
}
