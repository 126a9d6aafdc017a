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
  /** Failures in a row; 0 after any success. */
  readonly failures: number;
}

export type FollowEvent =
  /** The replica's files have been looked at. */
  | { readonly type: "opened"; readonly work: Work }
  /** A bootstrap or a resync is complete. */
  | { readonly type: "landed" }
  /** A chunk was received, verified and stored. */
  | { readonly type: "received"; readonly isEof: boolean }
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

const stay: Handler<FollowEvent["type"]> = (machine) => ({ machine, effect: "none" });
const close: Handler<"close"> = (machine) => ({ machine: { ...machine, state: "closed" }, effect: "none" });
const work = (machine: FollowMachine, next: Work, failures: number): Step => ({
  machine: { ...machine, state: WORKING[next], work: next, failures },
  effect: next,
});
const open: Handler<"opened"> = (machine, event) => work(machine, event.work, 0);
const land: Handler<"landed"> = (machine) => work(machine, "receive", 0);
const receive: Handler<"received"> = (machine, event) => ({
  machine: { state: event.isEof ? "following" : "catching-up", work: "receive", failures: 0 },
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
const resume: Handler<"pause-over"> = (machine) => work(machine, machine.work, machine.failures);

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

/** What helps against an error, by its code alone. */
export function remedyFor(code: ErrorCode, policy: FollowPolicy): Remedy {
  switch (code) {
    case "segment_trimmed":
    case "segment_unknown":
    case "offset_out_of_range":
    case "log_diverged":
    case "diverged":
    case "damaged":
      return "resync";
    case "foreign_write":
      return policy.onForeignWrite;
    case "not_tailrace":
      return policy.hasMet ? "retry" : "stop";
    case "unreachable":
    case "timeout":
    case "overloaded":
    case "not_ready":
    case "protocol_violation":
    case "snapshot_unknown":
    // A fenced primary: its successor may come back under the same address.
    case "stale_epoch":
    case "database_busy":
    case "storage_failed":
    case "internal":
      return "retry";
    case "invalid_request":
    case "invalid_configuration":
    case "not_a_database":
    case "database_corrupt":
    case "read_only":
    case "folder_missing":
    case "address_in_use":
    case "data_folder_in_use":
    case "unsupported_file_system":
    case "unrelated_database":
    case "driver_conflict":
    case "driver_unavailable":
    case "unknown_version":
    case "page_size_changed":
    case "closed":
      return "stop";
  }
}
