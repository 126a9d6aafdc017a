/**
 * A client of a peer, in a process of its own: `peer-client.ts VERB TARGET …` with the target as JSON. Moments are
 * microseconds of CLOCK_MONOTONIC, which all processes of a host share. Each verb ends with a line of JSON.
 *
 * - `create`: the table
 * - `pace RATE SECONDS`: commits a row at each tick of a fixed timetable, and says when each commit had returned
 * - `watch`: looks for new rows; with a line on its standard input, until that id is visible, then says when each was
 * - `commits CLIENTS SECONDS`, `reads CLIENTS SECONDS`: as many as go
 * - `fill BYTES`: transactions of about a megabyte
 * - `until ID`: says when that id was visible, whatever is in the way until then
 * - `hold`: an embedded replica that stays up to date once a second, until its standard input ends
 */
import { randomFillSync } from "node:crypto";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { LibsqlClient } from "../peers/clients/libsql.ts";
import { openClients } from "../peers/clients/open.ts";
import type { Client, Row, Target } from "../peers/contract.ts";

const ROW_BYTES = 100;
/** Two rows of this size and their keys fill a page of 4 KiB; four fill one of 8 KiB. */
const BULK_ROW_BYTES = 1_900;
const BULK_ROWS_PER_COMMIT = 500;
const HOLD_INTERVAL_S = 1;
const LOOK_AGAIN_MS = 5;

const [verb = "", targetText = "", ...rest] = process.argv.slice(2);
const target = JSON.parse(targetText) as Target;
const [amount = 0, duration = 0] = rest.map(Number);
const cell = new Int32Array(new SharedArrayBuffer(4));

function nowUs(): number {
  return Number(process.hrtime.bigint()) / 1e3;
}

function sleep(ms: number): void {
  Atomics.wait(cell, 0, 0, ms);
}

function newRow(id: number, sizeBytes: number): Row {
  return { id, value: randomFillSync(new Uint8Array(sizeBytes)) };
}

async function withClients<T>(count: number, work: (clients: readonly Client[]) => Promise<T>): Promise<T> {
  const clients = await openClients(target, count);
  try {
    return await work(clients);
  } finally {
    for (const client of new Set(clients)) await client.close();
  }
}

async function pace([client]: readonly Client[], rate: number, seconds: number): Promise<object> {
  const firstId = (await client!.newest()) + 1;
  const committedUs = new Float64Array(Math.round(rate * seconds));
  const startUs = nowUs();
  for (let index = 0; index < committedUs.length; index++) {
    const dueUs = startUs + (index * 1e6) / rate;
    for (let now = nowUs(); now < dueUs; now = nowUs()) sleep(Math.max(0.02, (dueUs - now) / 1e3));
    await client!.commit([newRow(firstId + index, ROW_BYTES)]);
    committedUs[index] = nowUs();
  }
  const reached = committedUs.length / ((nowUs() - startUs) / 1e6);
  return { first: firstId, committedUs: [...committedUs], reached };
}

async function watch([client]: readonly Client[]): Promise<object> {
  const seen: [id: number, momentUs: number][] = [];
  let goal = Number.POSITIVE_INFINITY;
  process.stdin.on("data", (text: Buffer) => (goal = Number(text.toString())));
  let last = await client!.newest();
  console.log("watching");
  for (let looks = 0; last < goal; looks++) {
    const id = await client!.newest();
    if (id > last) seen.push([(last = id), nowUs()]);
    sleep(0.05);
    if (looks % 100 === 0) await new Promise(setImmediate);
  }
  process.stdin.destroy();
  return seen;
}

async function commits(clients: readonly Client[], seconds: number): Promise<object> {
  let id = await clients[0]!.newest();
  return await asOftenAsGoes(clients, seconds, async (client) => {
    await client.commit([newRow(++id, ROW_BYTES)]);
  });
}

async function reads(clients: readonly Client[], seconds: number): Promise<object> {
  const last = await clients[0]!.newest();
  let state = 12345;
  const next = (): number => 1 + ((state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) % last);
  return await asOftenAsGoes(clients, seconds, async (client) => await client.read(next()));
}

async function asOftenAsGoes(
  clients: readonly Client[],
  seconds: number,
  step: (client: Client) => Promise<void>,
): Promise<object> {
  let done = 0;
  const startUs = nowUs();
  const work = async (client: Client): Promise<void> => {
    for (; nowUs() - startUs < seconds * 1e6; done++) await step(client);
  };
  await Promise.all(clients.map(work));
  return { perSecond: done / ((nowUs() - startUs) / 1e6) };
}

async function fill([client]: readonly Client[], sizeBytes: number): Promise<object> {
  const first = (await client!.newest()) + 1;
  const last = first - 1 + Math.ceil(sizeBytes / BULK_ROW_BYTES);
  for (let id = first; id <= last; id += BULK_ROWS_PER_COMMIT) {
    const length = Math.min(BULK_ROWS_PER_COMMIT, last + 1 - id);
    const rows = Array.from({ length }, (_, index) => newRow(id + index, BULK_ROW_BYTES));
    await client!.commit(rows);
  }
  return { last };
}

/** Each attempt has a connection of its own: what a file's name leads to may change under one that is open. */
async function until(goal: number): Promise<object> {
  for (;;) {
    try {
      const momentUs = await withClients(1, async ([client]) =>
        (await client!.newest()) >= goal ? nowUs() : undefined,
      );
      if (momentUs !== undefined) return { momentUs };
    } catch {
      // Not there yet; whoever waits has a limit.
    }
    await pause(LOOK_AGAIN_MS);
  }
}

async function hold(): Promise<object> {
  const client = new LibsqlClient(target, HOLD_INTERVAL_S);
  await client.newest();
  console.log("holding");
  await once(process.stdin.resume(), "end");
  client.close();
  return {};
}

const work: Readonly<Record<string, () => Promise<unknown>>> = {
  create: () => withClients(1, async ([client]) => await client!.create()),
  pace: () => withClients(1, (clients) => pace(clients, amount, duration)),
  watch: () => withClients(1, watch),
  commits: () => withClients(amount, (clients) => commits(clients, duration)),
  reads: () => withClients(amount, (clients) => reads(clients, duration)),
  fill: () => withClients(1, (clients) => fill(clients, amount)),
  until: () => until(amount),
  hold,
};
console.log(JSON.stringify((await work[verb]!()) ?? {}));
