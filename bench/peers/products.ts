import type { Peer } from "./contract.ts";
import { cp, nginx } from "./products/copies.ts";
import { libsql } from "./products/libsql.ts";
import { litestream, litestreamEager } from "./products/litestream.ts";
import { postgres } from "./products/postgres.ts";
import { rqlite } from "./products/rqlite.ts";
import { sqliteAlone } from "./products/sqlite-alone.ts";
import { tailraceEmbedded } from "./products/tailrace-embedded.ts";
import { tailrace } from "./products/tailrace.ts";

/** In the order of the tables. */
export const PEERS: readonly Peer[] = [
  tailrace,
  tailraceEmbedded,
  postgres,
  litestream,
  litestreamEager,
  rqlite,
  libsql,
  sqliteAlone,
  cp,
  nginx,
];
