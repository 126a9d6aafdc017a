import type { Client, Row, Target } from "../contract.ts";
import { toolPackage } from "../tools.ts";

interface Query {
  readonly name: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

/** What is used of the npm package `pg`. */
interface Connection {
  connect(): Promise<void>;
  query(query: Query | string): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
  end(): Promise<void>;
  on(event: "error", listener: () => void): void;
}

/** A connection by the unix socket, with statements prepared once. */
export class PostgresClient implements Client {
  private readonly connection: Connection;

  private constructor(connection: Connection) {
    this.connection = connection;
  }

  static async open({ address }: Target): Promise<PostgresClient> {
    const { Client: Pg } = toolPackage("pg") as { Client: new (options: object) => Connection };
    const connection = new Pg({ host: address, user: "postgres", database: "postgres" });
    connection.on("error", () => {}); // A query says so too.
    await connection.connect();
    return new PostgresClient(connection);
  }

  async create(): Promise<void> {
    await this.connection.query("CREATE TABLE IF NOT EXISTS rows(id BIGINT PRIMARY KEY, v BYTEA)");
  }

  async commit(rows: readonly Row[]): Promise<void> {
    const places = rows.map((_, index) => `($${2 * index + 1}, $${2 * index + 2})`);
    await this.connection.query({
      name: `insert${rows.length}`,
      text: `INSERT INTO rows VALUES ${places.join()}`,
      values: rows.flatMap(({ id, value }) => [id, value]),
    });
  }

  async newest(): Promise<number> {
    const { rows } = await this.connection.query({
      name: "newest",
      text: "SELECT max(id) AS n FROM rows",
    });
    return Number(rows[0]?.["n"] ?? 0);
  }

  async read(id: number): Promise<void> {
    const query = { name: "read", text: "SELECT v FROM rows WHERE id = $1", values: [id] };
    if ((await this.connection.query(query)).rows.length !== 1) throw new Error(`no row ${id}`);
  }

  async close(): Promise<void> {
    await this.connection.end();
  }
}
