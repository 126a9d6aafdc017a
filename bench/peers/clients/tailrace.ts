import type { Primary } from "../../../src/primary.ts";
import type { Client, Row } from "../contract.ts";
import { CREATE, INSERT } from "./sqlite.ts";

/** One of many writers that share the primary of their process, each waiting until its commit is durable in the log. */
export class TailraceClient implements Client {
  private readonly primary: Primary;
  private readonly insert;

  constructor(primary: Primary) {
    this.primary = primary;
    primary.database.exec(CREATE);
    this.insert = primary.database.prepare(INSERT);
  }

  create(): void {}

  async commit(rows: readonly Row[]): Promise<void> {
    for (const { id, value } of rows) this.insert.run(id, value);
    await this.primary.durable();
  }

  newest(): number {
    return Number(this.primary.database.prepare("SELECT max(id) AS n FROM rows").get()?.["n"] ?? 0);
  }

  read(): void {}

  async close(): Promise<void> {
    await this.primary.close();
  }
}
