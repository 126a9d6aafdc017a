import type { ErrorCode } from "../errors.ts";

/**
 * What a replica is doing, as a state machine without I/O: the follower carries out the one effect of each step and
 * feeds its outcome back as the next event.
 *
 *      opened ──▶ bootstrapping ──▶ catching-up ⇄ following          (solid ground: a database that can be read)
 *                      ▲  │            │  ▲           │
 *                      │  ▼ failed     ▼  │ resynced  ▼ trimmed, diverged …
 *                     pausing ◀──── resyncing ◀───────┘
 *
 * `stopped` waits for a human; `closed` is the end.
 */
export type FollowState =
  | "starting"
  | "bootstrapping"
  | "catching-up"
  | "following"
  | "resyncing"
  | "pausing"
  | "stopped"
  | "closed";

/** The work to be done when a pause is over. */
export type Work = "bootstrap" | "receive" | "resync";

export interface FollowMachine {
  readonly state: FollowState;
  readonly work: Work;
  /** Failures since the last progress. */
  readonly failures: number;
}

export type FollowEvent =
  /** The replica's files have been looked at. */
  | { readonly type: "opened"; readonly work: Work }
  /** A bootstrap or a resync is complete. */
  | { readonly type: "landed" }
  /**
   * A chunk was received, verified and stored. It is progress when the database has moved since the last failure, or
   * has nothing left to apply: a chunk that comes well and cannot be applied must not hide the failures before it.
   */
  | { readonly type: "received"; readonly isEof: boolean; readonly isProgress: boolean }
  | { readonly type: "failed"; readonly remedy: Remedy }
  | { readonly type: "pause-over" }
  | { readonly type: "close" };

export type FollowEffect = Work | "pause" | "stop" | "none";

/** What helps against an error: the same again after a pause, a resync, a new bootstrap, or only a human. */
export type Remedy = "retry" | "resync" | "bootstrap" | "stop";

export interface Step {
  readonly machine: FollowMachine;
  readonly effect: FollowEffect;
}

export const START: FollowMachine = { state: "starting", work: "bootstrap", failures: 0 };

const WORKING: Record<Work, FollowState> = {
  bootstrap: "bootstrapping",
  receive: "catching-up",
  resync: "resyncing",
};

type Handler<T extends FollowEvent["type"]> = (
  machine: FollowMachine,
  event: Extract<FollowEvent, { type: T }>,
) => Step;
type Row = { readonly [T in FollowEvent["type"]]: Handler<T> };

const stay = (machine: FollowMachine): Step => ({ machine, effect: "none" });
const close = (machine: FollowMachine): Step => ({
  machine: { ...machine, state: "closed" },
  effect: "none",
});
const work = (machine: FollowMachine, next: Work, failures: number): Step => ({
  machine: { ...machine, state: WORKING[next], work: next, failures },
  effect: next,
});
const open: Handler<"opened"> = (machine, event) => work(machine, event.work, 0);
/** What is gained by it shows with the first chunk applied: until then the failures count. */
const land = (machine: FollowMachine): Step => work(machine, "receive", machine.failures);
const receive: Handler<"received"> = ({ failures }, { isEof, isProgress }) => ({
  machine: {
    state: isEof ? "following" : "catching-up",
    work: "receive",
    failures: isProgress ? 0 : failures,
  },
  effect: "receive",
});

/** A failure never ends in a tight loop: whatever the remedy, the second try in a row comes after a pause. */
const fail: Handler<"failed"> = (machine, { remedy }) => {
  const failures = machine.failures + 1;
  if (remedy === "stop") return { machine: { ...machine, state: "stopped", failures }, effect: "stop" };
  const next = remedy === "retry" ? machine.work : remedy;
  if (remedy !== "retry" && failures === 1) return work(machine, next, failures);
  return { machine: { state: "pausing", work: next, failures }, effect: "pause" };
};
const resume = (machine: FollowMachine): Step => work(machine, machine.work, machine.failures);

const busy: Row = {
  opened: stay,
  landed: land,
  received: receive,
  failed: fail,
  "pause-over": stay,
  close,
};
const over: Row = { opened: stay, landed: stay, received: stay, failed: stay, "pause-over": stay, close };

/** Every event in every state; the compiler proves that none is missing. */
const TABLE: Record<FollowState, Row> = {
  starting: { ...over, opened: open, failed: fail },
  bootstrapping: { ...busy, received: stay },
  "catching-up": { ...busy, landed: stay },
  following: { ...busy, landed: stay },
  resyncing: { ...busy, received: stay },
  // What was under way when the failure came may still report: it changes nothing before the pause is over.
  pausing: { ...over, failed: worsen, "pause-over": resume },
  stopped: over,
  closed: { ...over, close: stay },
};

/** A second failure during a pause counts only if it asks for more than the first. */
function worsen(machine: FollowMachine, { remedy }: Extract<FollowEvent, { type: "failed" }>): Step {
  if (remedy === "stop") return { machine: { ...machine, state: "stopped" }, effect: "stop" };
  return { machine: remedy === "retry" ? machine : { ...machine, work: remedy }, effect: "none" };
}

export function step(machine: FollowMachine, event: FollowEvent): Step {
  const row = TABLE[machine.state];
  // One event type picks one handler of that type: what the compiler cannot see across the union.
  return (row[event.type] as Handler<FollowEvent["type"]>)(machine, event);
}

export interface FollowPolicy {
  readonly onForeignWrite: "stop" | "resync";
  /** Whether this node was ever spoken to: a first answer that is no Tailrace's is a wrong URL, a later one a mishap. */
  readonly hasMet: boolean;
}

const REMEDIES: Record<Exclude<ErrorCode, "foreign_write" | "not_tailrace">, Remedy> = {
  // The log cannot lead there any more, or did not lead to where it should: the pages themselves are compared.
  segment_trimmed: "resync",
  segment_unknown: "resync",
  offset_out_of_range: "resync",
  log_diverged: "resync",
  diverged: "resync",
  damaged: "resync",
  // It passes.
  unreachable: "retry",
  timeout: "retry",
  overloaded: "retry",
  not_ready: "retry",
  protocol_violation: "retry",
  snapshot_unknown: "retry",
  not_found: "retry",
  replica_unknown: "retry",
  database_busy: "retry",
  storage_failed: "retry",
  internal: "retry",
  // Of the log: a later version has written it. A resync, which reads the whole database, would meet it again.
  unknown_version: "retry",
  // A fenced primary: its successor may come back under the same address.
  stale_epoch: "retry",
  // Only a human can help, and until then nothing is changed.
  invalid_request: "stop",
  forbidden: "stop",
  invalid_configuration: "stop",
  not_a_database: "stop",
  database_corrupt: "stop",
  read_only: "stop",
  folder_missing: "stop",
  address_in_use: "stop",
  data_folder_in_use: "stop",
  unsupported_file_system: "stop",
  unrelated_database: "stop",
  driver_conflict: "stop",
  driver_unavailable: "stop",
  page_size_changed: "stop",
  closed: "stop",
};

/** What helps against an error, by its code alone. */
export function remedyFor(code: ErrorCode, { onForeignWrite, hasMet }: FollowPolicy): Remedy {
  if (code === "foreign_write") return onForeignWrite;
  if (code === "not_tailrace") return hasMet ? "retry" : "stop";
  return REMEDIES[code];
}
