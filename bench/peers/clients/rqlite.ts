import type { Client, Row, Target } from "../contract.ts";
import { CREATE, NEWEST, READ } from "./sqlite.ts";

interface Answer {
  readonly results: readonly {
    readonly error?: string;
    readonly values?: readonly (readonly unknown[])[];
  }[];
}

/** Its HTTP API. Reads take what the node that is asked has itself (`level=none`). */
export class RqliteClient implements Client {
  private readonly url: string;

  constructor({ address }: Target) {
    this.url = address;
  }

  async create(): Promise<void> {
    await this.post("/db/execute", [[CREATE]]);
  }

  async commit(rows: readonly Row[]): Promise<void> {
    const values = rows.map(({ id, value }) => `(${id}, x'${Buffer.from(value).toString("hex")}')`);
    await this.post("/db/execute", [[`INSERT INTO rows VALUES ${values.join()}`]]);
  }

  async newest(): Promise<number> {
    return Number((await this.post("/db/query?level=none", [[NEWEST]])) ?? 0);
  }

  async read(id: number): Promise<void> {
    const value = await this.post("/db/query?level=none", [[READ, id]]);
    if (value === undefined) throw new Error(`no row ${id}`);
  }

  close(): void {}

  /** @returns the first value of the first row, if any */
  private async post(path: string, statements: readonly (readonly unknown[])[]): Promise<unknown> {
    const response = await fetch(`${this.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(statements),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    const [result] = ((await response.json()) as Answer).results;
    if (result?.error !== undefined) throw new Error(result.error);
    return result?.values?.[0]?.[0];
  }
}
