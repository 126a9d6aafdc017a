import type { Client, Target } from "../contract.ts";
import { LibsqlClient } from "./libsql.ts";
import { PostgresClient } from "./postgres.ts";
import { RqliteClient } from "./rqlite.ts";
import { SqliteClient } from "./sqlite.ts";
import { TailraceClient } from "./tailrace.ts";

/** Connections of one process to the same database. */
export async function openClients(target: Target, count: number): Promise<readonly Client[]> {
  const numbers = Array.from({ length: count });
  switch (target.client) {
    case "sqlite":
      return numbers.map(() => new SqliteClient(target));
    case "tailrace": {
      const { openPrimary } = await import("../../../src/primary.ts");
      const primary = await openPrimary({ file: target.address });
      return numbers.map(() => new TailraceClient(primary));
    }
    case "postgres":
      return await Promise.all(numbers.map(async () => await PostgresClient.open(target)));
    case "rqlite":
      return numbers.map(() => new RqliteClient(target));
    case "libsql":
      return numbers.map(() => new LibsqlClient(target));
    default: {
      // An embedded replica is a part of its process: all of that use the one.
      const client = new LibsqlClient(target);
      return numbers.map(() => client);
    }
  }
}
