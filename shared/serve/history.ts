import { compareReplicas } from "../plan/health.ts";
import type { NodeDocument } from "../plan/health.ts";
import type { ReplicaStatus, StatusDocument } from "../status.ts";

/** Time from one sample to the next. */
export const SAMPLE_MS = 5_000;
/** One hour. */
const MAX_SAMPLES = 720;
/** Replicas whose lag is kept: 3 KiB each. */
const MAX_REPLICAS = 200;
/** A clock that is slewed may repeat a moment; further back, what was noted lies in its future. */
const MAX_STEP_BACK_MS = 10_000;
/** Of them, so many places are always for the worst: an incident among thousands is not missed. */
const PLACES_FOR_WORST = 50;

/** What has been, oldest first, a number for each of `timesMs`; NaN where it is not known. */
export interface HistoryView {
  /** Unix ms, ascending. */
  readonly timesMs: Float64Array;
  /** On a primary of commits, on a replica of transactions that were applied. */
  readonly commitsPerSecond: Float64Array;
  readonly logBytes: Float64Array;
  /** Of this node, if it is a replica. */
  readonly ownLagSeconds: Float64Array;
  /** Of those that ask this node, by id. */
  readonly lagSeconds: ReadonlyMap<string, Float64Array>;
}

/** The last hour of a node in bounded memory, so that a look after an incident still shows it. */
export class History {
  private readonly maxSamples: number;
  private readonly maxReplicas: number;
  private readonly timesMs: Float64Array;
  private readonly commits: Float32Array;
  /** Larger than a float of 32 bits can tell apart. */
  private readonly logBytes: Float64Array;
  private readonly ownLag: Float32Array;
  private readonly lags = new Map<string, Float32Array>();
  /** All samples ever; the newest is at (count − 1) modulo the number of places. */
  private count = 0;
  private lastTxid: number | null = null;

  constructor({
    maxSamples = MAX_SAMPLES,
    maxReplicas = MAX_REPLICAS,
  }: { readonly maxSamples?: number; readonly maxReplicas?: number } = {}) {
    this.maxSamples = maxSamples;
    this.maxReplicas = maxReplicas;
    this.timesMs = new Float64Array(maxSamples);
    this.commits = new Float32Array(maxSamples);
    this.logBytes = new Float64Array(maxSamples);
    this.ownLag = new Float32Array(maxSamples);
  }

  /** Keeps a sample of the document. One that is not newer than the last is left out; a clock set back starts anew. */
  note(document: StatusDocument): void {
    const node = document as NodeDocument;
    if (node.nowMs < this.lastMs() - MAX_STEP_BACK_MS) this.clear();
    const lastMs = this.lastMs();
    if (node.nowMs <= lastMs) return;
    const place = this.count % this.maxSamples;
    // A word that is not of now says nothing of now.
    const isFresh = node.isEngineAnswering;
    const txid = isFresh ? txidOf(node) : null;
    const isRate = txid !== null && this.lastTxid !== null && txid >= this.lastTxid;
    this.timesMs[place] = node.nowMs;
    this.commits[place] = isRate ? ((txid - this.lastTxid!) * 1000) / (node.nowMs - lastMs) : Number.NaN;
    this.logBytes[place] = (isFresh ? node.log?.sizeBytes : null) ?? Number.NaN;
    this.ownLag[place] = (isFresh ? node.lag?.seconds : null) ?? Number.NaN;
    this.lastTxid = txid;
    for (const lag of this.lags.values()) lag[place] = Number.NaN;
    if (isFresh) {
      for (const { id, lagSeconds } of this.chosen(node.replicas))
        this.lagOf(id)[place] = lagSeconds ?? Number.NaN;
    }
    this.count++;
    // Nothing is known any more of one that has not been there for as long as this goes back.
    for (const [id, lag] of this.lags) if (lag.every((value) => Number.isNaN(value))) this.lags.delete(id);
  }

  view(): HistoryView {
    return {
      timesMs: this.ordered(this.timesMs),
      commitsPerSecond: this.ordered(this.commits),
      logBytes: this.ordered(this.logBytes),
      ownLagSeconds: this.ordered(this.ownLag),
      lagSeconds: new Map([...this.lags].map(([id, lag]) => [id, this.ordered(lag)])),
    };
  }

  private lastMs(): number {
    return this.count === 0 ? -Infinity : this.timesMs[(this.count - 1) % this.maxSamples]!;
  }

  private clear(): void {
    this.count = 0;
    this.lastTxid = null;
    this.lags.clear();
  }

  /** The replicas to be kept; where there are too many, the worst ones and those that are here already. */
  private chosen(replicas: readonly ReplicaStatus[]): readonly ReplicaStatus[] {
    const newCount = (among: readonly ReplicaStatus[]): number =>
      among.filter(({ id }) => !this.lags.has(id)).length;
    if (this.lags.size + newCount(replicas) <= this.maxReplicas) return replicas;
    const sorted = replicas.toSorted(compareReplicas);
    const worst = sorted.slice(0, Math.min(PLACES_FOR_WORST, this.maxReplicas));
    const rest = sorted.slice(worst.length);
    const known = rest.filter(({ id }) => this.lags.has(id));
    const unknown = rest.filter(({ id }) => !this.lags.has(id));
    const chosen = [...worst, ...known, ...unknown].slice(0, this.maxReplicas);
    const ids = new Set(chosen.map(({ id }) => id));
    let excess = this.lags.size + newCount(chosen) - this.maxReplicas;
    for (const id of [...this.lags.keys()].filter((one) => !ids.has(one))) {
      if (excess-- > 0) this.lags.delete(id);
    }
    return chosen;
  }

  private lagOf(id: string): Float32Array {
    const known = this.lags.get(id);
    if (known !== undefined) return known;
    const lag = new Float32Array(this.maxSamples).fill(Number.NaN);
    this.lags.set(id, lag);
    return lag;
  }

  private ordered(ring: Float32Array | Float64Array): Float64Array {
    if (this.count <= this.maxSamples) return Float64Array.from(ring.subarray(0, this.count));
    const first = this.count % this.maxSamples;
    const values = new Float64Array(this.maxSamples);
    values.set(ring.subarray(first));
    values.set(ring.subarray(0, first), this.maxSamples - first);
    return values;
  }
}

/** Samples the node from now on, until the signal; keeps no process alive. */
export function keepHistory(
  history: History,
  read: () => Promise<StatusDocument>,
  signal: AbortSignal,
): void {
  const timer = setInterval(() => {
    read().then(
      (document) => history.note(document),
      () => {}, // It is closing, or not there yet: the next time will tell.
    );
  }, SAMPLE_MS);
  timer.unref();
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
}

function txidOf({ role, log, position }: NodeDocument): number | null {
  return (role === "primary" ? log?.headTxid : position?.txid) ?? null;
}
