import type { Random } from "../core/random.ts";
import type { Queries } from "./content.ts";

/** A connection of the application. */
export interface Connection extends Queries {
  readonly isTransaction: boolean;
}

/** One transaction in the making: its statements are carried out within it. */
export interface Draft {
  readonly database: Connection;
  readonly random: Random;
  readonly accounts: number;
  readonly pageSize: number;
  /** What progress will be. */
  readonly step: number;
}

export function noteProgress({ database, step }: Draft): void {
  database.exec(`UPDATE progress SET step = ${step}`);
}

/** Money goes from some accounts to others, with an entry for each. */
export function transfer(draft: Draft): void {
  const { random } = draft;
  for (let moves = 1 + random.int(random.chance(0.2) ? 25 : 3); moves > 0; moves--) {
    const amount = 1 + random.int(1000);
    book(draft, amount);
    book(draft, -amount);
  }
  if (random.chance(0.3)) draft.database.exec(`DELETE FROM entry WHERE step < ${draft.step - 20}`);
}

function book({ database, random, accounts, step }: Draft, amount: number): void {
  const account = 1 + random.int(accounts);
  const filling = random.int(random.chance(0.1) ? 3000 : 60);
  database.exec(
    `UPDATE account SET balance = balance + ${amount}, step = ${step}, note = ${bytesOf(random, random.int(80))} WHERE id = ${account};
     INSERT INTO entry VALUES (${step}, ${account}, ${amount}, ${bytesOf(random, filling)})`,
  );
}

/** Every row, and some pages more. */
export function rewrite(draft: Draft): void {
  const { database, random, pageSize, step } = draft;
  database.exec(
    `UPDATE account SET step = ${step}, note = CAST(printf('%d-%d', ${random.int(2 ** 30)}, id) AS BLOB)`,
  );
  transfer(draft);
  for (let rows = random.int(6); rows > 0; rows--)
    database.exec(`INSERT INTO entry VALUES (${step}, 1, 0, ${bytesOf(random, random.int(6 * pageSize))})`);
}

/** More than one fragment of a record holds, and more than SQLite keeps in memory. */
export function swell(draft: Draft): void {
  const { database, random, step } = draft;
  const bytes = 1_200_000 + random.int(400_000);
  database.exec(`INSERT INTO entry VALUES (${step}, 1, 0, zeroblob(${bytes}))`);
  transfer(draft);
}

/** What {@link swell} and others left goes again; the pages stay free, or the database shrinks by its auto-vacuum. */
export function shrink({ database, step }: Draft): void {
  database.exec(`DELETE FROM entry WHERE amount = 0 OR step < ${step - 5}`);
}

/** Tables and indexes come and go. */
export function changeSchema({ database, random, step }: Draft): void {
  const extra = `extra_${random.int(4)}`;
  switch (random.int(4)) {
    case 0:
      database.exec(`DROP TABLE IF EXISTS ${extra}`);
      break;
    case 1:
      database.exec(`CREATE INDEX IF NOT EXISTS entry_by_account ON entry (account, step)`);
      break;
    case 2:
      database.exec("DROP INDEX IF EXISTS entry_by_account");
      break;
    default:
      database.exec(
        `CREATE TABLE IF NOT EXISTS ${extra} (value INTEGER); INSERT INTO ${extra} VALUES (${step})`,
      );
  }
}

/** Bytes that no compression makes much of, as a literal: always the same for the same chance. */
function bytesOf(random: Random, length: number): string {
  let text = "";
  while (text.length < 2 * length)
    text += random
      .int(2 ** 24)
      .toString(16)
      .padStart(6, "0");
  return `x'${text.slice(0, 2 * length)}'`;
}
