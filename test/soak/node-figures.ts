import { readdirSync, statSync } from "node:fs";
import type { Dirent } from "node:fs";
import { join } from "node:path";
import type { Figures } from "./measures.ts";

const ANSWER_LIMIT_MS = 10_000;

/** @throws where there is no answer, or one that is none */
export async function textOf(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} ${text.slice(0, 200)}`);
  return text;
}

/** A node's own word, from the text of `GET /metrics`. */
export function figuresOfMetrics(metrics: string): Figures {
  const samples = [...metrics.matchAll(/^tailrace_(\w+)(?:\{[^}]*\})? (\S+)$/gm)];
  const sumOf = (name: string): number | undefined => {
    const values = samples.filter(([, sample]) => sample === name).map(([, , value]) => Number(value));
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
  };
  const figures = {
    chunkCacheBytes: sumOf("chunk_cache_bytes"),
    inFlightBytes: sumOf("in_flight_bytes"),
    lagSeconds: sumOf("lag_seconds"),
    lagTransactions: sumOf("lag_transactions"),
    // An error that never happened has no sample of its code.
    errors: sumOf("errors_total") ?? 0,
    resyncs: sumOf("resyncs_total"),
  };
  return Object.fromEntries(Object.entries(figures).filter(([, value]) => value !== undefined));
}

/** Transactions captured since the start. */
export function commitsOf(metrics: string): number {
  return Number(/^tailrace_commits_total (\d+)$/m.exec(metrics)?.[1] ?? Number.NaN);
}

/** What a node's files come to. */
export function figuresOfFiles(database: string): Figures {
  const folder = `${database}-tailrace`;
  return {
    logBytes: sizeOf(join(folder, "log")),
    snapshotBytes: sizeOf(join(folder, "snapshots")),
    dataFolderBytes: sizeOf(folder),
    walBytes: statSync(`${database}-wal`, { throwIfNoEntry: false })?.size ?? 0,
  };
}

function sizeOf(folder: string): number {
  let bytes = 0;
  for (const entry of entriesOf(folder)) {
    const path = join(folder, entry.name);
    bytes += entry.isDirectory() ? sizeOf(path) : (statSync(path, { throwIfNoEntry: false })?.size ?? 0);
  }
  return bytes;
}

function entriesOf(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    // It may be removed while it is looked at.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
