import type { Client, Row, Target } from "../contract.ts";
import { toolPackage } from "../tools.ts";
import { CREATE, NEWEST, READ } from "./sqlite.ts";

/** What is used of the npm package `@libsql/client`. */
interface Connection {
  execute(statement: { sql: string; args: readonly unknown[] } | string): Promise<{
    readonly rows: readonly Record<string, unknown>[];
  }>;
  sync(): Promise<unknown>;
  close(): void;
}

/** With many writers its server gives some of them up, and they have to come again. */
const MAX_ATTEMPTS = 10;

interface Options {
  readonly url: string;
  readonly syncUrl?: string;
  readonly syncInterval?: number;
}

/** Over HTTP to the server, or an embedded replica in this process that fetches what is new before each look. */
export class LibsqlClient implements Client {
  private readonly connection: Connection;
  private readonly isReplica: boolean;

  constructor({ client, address, source }: Target, syncInterval?: number) {
    const { createClient } = toolPackage("@libsql/client") as {
      createClient: (options: Options) => Connection;
    };
    this.isReplica = client === "libsql-replica";
    this.connection = createClient({
      url: this.isReplica ? `file:${address}` : address,
      ...(source !== undefined && { syncUrl: source }),
      ...(syncInterval !== undefined && { syncInterval }),
    });
  }

  async create(): Promise<void> {
    await this.connection.execute(CREATE);
  }

  async commit(rows: readonly Row[]): Promise<void> {
    const statement = {
      sql: `INSERT INTO rows VALUES ${rows.map(() => "(?, ?)").join()}`,
      args: rows.flatMap(({ id, value }) => [id, value]),
    };
    for (let attempt = 1; ; attempt++)
      try {
        await this.connection.execute(statement);
        return;
      } catch (error) {
        if ((error as { code?: string }).code !== "SQLITE_BUSY" || attempt === MAX_ATTEMPTS) throw error;
      }
  }

  async newest(): Promise<number> {
    if (this.isReplica) await this.connection.sync();
    const { rows } = await this.connection.execute(NEWEST);
    return Number(rows[0]?.["n"] ?? 0);
  }

  async read(id: number): Promise<void> {
    const { rows } = await this.connection.execute({ sql: READ, args: [id] });
    if (rows.length !== 1) throw new Error(`no row ${id}`);
  }

  close(): void {
    this.connection.close();
  }
}
