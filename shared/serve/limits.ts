import { MIN_BYTES_PER_SECOND } from "../protocol.ts";

/** Every bound of the serving thread. The defaults fit one node with a thousand replicas and more. */
export interface ServeLimits {
  /** Requests held until there is something new. One more is answered 503. */
  readonly maxWaitingRequests: number;
  /** Snapshots being downloaded. One more is answered 503. Each costs {@link SEND_BUFFER_BYTES} three times. */
  readonly maxDownloads: number;
  /** Open sockets. One more is closed at once. */
  readonly maxConnections: number;
  /** Log chunks kept for the next asker. */
  readonly cacheBytes: number;
  /** A chunk that nobody has asked for in so long, or up to twice that, is not kept any more. */
  readonly cacheMs: number;
  /** Log chunks that slow readers still hold, each counted once. Past it, requests are answered 503. */
  readonly maxInFlightBytes: number;
  /** Replicas whose requests are remembered here. Past it, the one longest silent is not; the engine may still know it. */
  readonly maxReplicas: number;
  /** A socket on which nothing moves for so long is closed. More than the longest wait. */
  readonly idleSocketMs: number;
  /** An answer that is not taken at this pace, on the whole, is cut off … */
  readonly minBytesPerSecond: number;
  /** … after so long beside that. */
  readonly answerGraceMs: number;
  /** How long a request may take to arrive. */
  readonly requestMs: number;
  readonly maxHeaderBytes: number;
  /** The engine has so long for its part of the status; then its last word is shown. */
  readonly engineStatusMs: number;
  /** For what it can answer from memory, or nearly so. */
  readonly engineAnswerMs: number;
  /** For a checkpoint. */
  readonly engineWorkMs: number;
}

export const DEFAULT_LIMITS: ServeLimits = {
  maxWaitingRequests: 8192,
  maxDownloads: 64,
  maxConnections: 10_000,
  cacheBytes: 32 << 20,
  cacheMs: 2_000,
  maxInFlightBytes: 256 << 20,
  maxReplicas: 10_000,
  idleSocketMs: 120_000,
  minBytesPerSecond: MIN_BYTES_PER_SECOND,
  answerGraceMs: 60_000,
  requestMs: 30_000,
  maxHeaderBytes: 16 << 10,
  engineStatusMs: 1_000,
  engineAnswerMs: 10_000,
  engineWorkMs: 60_000,
};

/** The pieces in which files are sent. */
export const SEND_BUFFER_BYTES: number = 512 << 10;

/** What `retry-after` says. */
export const RETRY_AFTER_SECONDS = 1;
