import { UNKNOWN, ago, count, duration, size } from "../human.ts";
import type {
  EngineStatus,
  PrimaryEngineStatus,
  ReplicaEngineStatus,
  ReplicaStatus,
  StatusDocument,
  UpkeepTrouble,
} from "../status.ts";
import { HELD_UP_FACTOR, atOnceBytes } from "./primary-checkpoint-policy.ts";
import { storageFindings } from "./storage-health.ts";

/*
 * The judgement on a status document: is all well with the node and with those that it feeds, and if not, what is wrong
 * and what to do. The page and `tailrace status` say the same because both ask here.
 */

/** `error`: data is or soon will be late for good, or the node cannot do its work. `warning`: look at it today. */
export type Severity = "error" | "warning" | "note";

export interface Finding {
  readonly severity: Severity;
  /** Stable, in snake case. */
  readonly code: string;
  /** The replicas that it is about, worst first; empty: the node itself. */
  readonly replicas: readonly string[];
  /** One sentence without a full stop. Ids and messages stand in it as they came: escape or print them with care. */
  readonly text: string;
  /** What to do about it; null when there is nothing to do but wait. */
  readonly wayOut: string | null;
}

export interface Health {
  /** `well`: no error and no warning. */
  readonly verdict: "well" | "warning" | "error";
  /** One sentence: that all is well, or the worst finding and how many more there are. */
  readonly headline: string;
  /** Errors first, then warnings, then notes. */
  readonly findings: readonly Finding[];
}

/** A status document with what the engine of either role may have told; nothing of it before its first word. */
export type NodeDocument = StatusDocument &
  Partial<Pick<EngineStatus, "asOfMs" | "database" | "snapshotSinceMs" | "upkeepTroubles" | "lastError">> &
  Partial<Pick<PrimaryEngineStatus, "wal" | "checkpointedTxid" | "replicasLost" | "replicasReleased">> &
  Partial<
    Pick<
      ReplicaEngineStatus,
      "id" | "source" | "state" | "position" | "lag" | "receiver" | "applier" | "lastResync" | "progress"
    >
  >;

/** A replica further behind than this is worth a warning. */
export const LATE_SECONDS = 60;
/** Up to here a replica keeps up. */
const STEADY_SECONDS = 1;
/** An engine's word older than this is not of now. */
const ENGINE_LATE_MS = 3_000;
/** A SQLite WAL so many times as large as writers alone can make it is held up by a reader. */
const WAL_LARGE_FACTOR = 2;
/** A reader that holds up checkpoints for so long is no report any more. */
const HELD_UP_MS = 600_000;
/** So many ids are named in one sentence. */
const NAMED_IDS = 3;

/** @param lateSeconds from which lag on a replica is late */
export function healthOf(document: StatusDocument, lateSeconds: number = LATE_SECONDS): Health {
  const node = document as NodeDocument;
  const findings = [
    ...engineFindings(node),
    ...(node.role === "primary" ? primaryFindings(node) : replicaFindings(node, lateSeconds)),
    ...trackedFindings(node, lateSeconds),
    ...upkeepFindings(node),
    ...storageFindings(node),
  ];
  const rank: Record<Severity, number> = { error: 0, warning: 1, note: 2 };
  const sorted = findings.toSorted((a, b) => rank[a.severity] - rank[b.severity]);
  const serious = sorted.filter(({ severity }) => severity !== "note");
  return {
    verdict: (serious[0]?.severity as "error" | "warning" | undefined) ?? "well",
    headline: headlineOf(node, serious),
    findings: sorted,
  };
}

/**
 * Replicas, the worst first: lost, endangered, inactive, then by lag; what is not known before what is good. Those that
 * keep up are in the order of their ids: which of them is some milliseconds ahead changes with every look.
 */
export function compareReplicas(a: ReplicaStatus, b: ReplicaStatus): number {
  return (
    troubleOf(b) - troubleOf(a) ||
    latenessOf(b) - latenessOf(a) ||
    (latenessOf(a) === 0 ? 0 : (b.lagBytes ?? Infinity) - (a.lagBytes ?? Infinity)) ||
    (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
  );
}

function latenessOf({ lagSeconds }: ReplicaStatus): number {
  if (lagSeconds === null) return Infinity;
  return lagSeconds <= STEADY_SECONDS ? 0 : lagSeconds;
}

function troubleOf(
  { state, retention, lagSeconds }: ReplicaStatus,
  lateSeconds: number = LATE_SECONDS,
): number {
  if (state === "lost" || retention === "lost") return 4;
  if (retention === "endangered") return 3;
  if (state === "inactive") return 2;
  return isLate(lagSeconds, lateSeconds) ? 1 : 0;
}

function isLate(lagSeconds: number | null | undefined, lateSeconds: number): lagSeconds is number {
  return typeof lagSeconds === "number" && lagSeconds > lateSeconds;
}

function headlineOf(
  { role, replicas, replicasTotal, state }: NodeDocument,
  serious: readonly Finding[],
): string {
  const [worst, ...others] = serious;
  if (worst !== undefined) {
    const more = others.length === 0 ? "" : `, and ${count(others.length)} more`;
    return `${worst.text.charAt(0).toUpperCase()}${worst.text.slice(1)}${more}`;
  }
  if (role === "primary") return `All is well; ${fedText(replicas, replicasTotal)}`;
  if (state !== undefined && state !== "following")
    return `This replica is ${state.replaceAll(/[-_]/g, " ")}`;
  const fed = replicasTotal === 0 ? "" : `, and ${fedText(replicas, replicasTotal)}`;
  return `All is well; this replica is up to date${fed}`;
}

function fedText(replicas: readonly ReplicaStatus[], total: number): string {
  const unknown = replicas.filter(({ lagSeconds }) => lagSeconds === null).length;
  if (total === 0) return "no replica has asked yet";
  if (total === 1) return unknown === 1 ? "the lag of its replica is not known" : "its replica keeps up";
  if (unknown > 0) return `the lag of ${count(unknown)} of ${count(total)} replicas is not known`;
  return `${total === 2 ? "both" : `all ${count(total)}`} replicas keep up`;
}

function* engineFindings({ unready, isEngineAnswering, asOfMs, nowMs }: NodeDocument): Iterable<Finding> {
  if (unready !== null) {
    yield {
      severity: "error",
      code: unready.code,
      replicas: [],
      text: `the node is not ready: ${unready.message}`,
      wayOut:
        UNREADY_WAYS[unready.code] ??
        "The log of the process says more; it goes on by itself when the cause is gone.",
    };
  }
  const isLateWord = asOfMs !== undefined && nowMs - asOfMs > ENGINE_LATE_MS;
  if ((!isEngineAnswering || isLateWord) && unready?.code !== "not_ready") {
    const since = asOfMs === undefined ? "has not answered yet" : `last answered ${ago(asOfMs, nowMs)}`;
    yield {
      severity: "error",
      code: "engine_not_answering",
      replicas: [],
      text: `the engine thread ${since}; what follows is as of then`,
      wayOut:
        "Look at the disk first (a hanging disk holds it up), then at the log of the process; restart the node if it stays so.",
    };
  }
}

const UNREADY_WAYS: Readonly<Record<string, string>> = {
  not_ready: "Wait a moment: it is starting or stopping.",
  storage_failed: "Make room, or repair the disk; it goes on by itself when it can write again.",
  read_only: "Make the file and its folder writable again; it goes on by itself.",
  damaged: "Run tailrace check on the data folder; tailrace repair cuts a damaged tail after asking.",
  database_corrupt: "Restore the database file from a good copy: a replica's file is one.",
};

function* primaryFindings({ lastError, nowMs, wal }: NodeDocument): Iterable<Finding> {
  if ((lastError ?? null) !== null) {
    const { code, message, hint, timeMs } = lastError!;
    yield {
      severity: "error",
      code,
      replicas: [],
      text: `capture is held up: ${message} (${ago(timeMs, nowMs)})`,
      wayOut: hint ?? "It tries again by itself; the log of the process says more.",
    };
  }
  if (wal !== undefined && wal !== null) yield* walFindings(wal, nowMs);
}

function* walFindings(wal: PrimaryEngineStatus["wal"], nowMs: number): Iterable<Finding> {
  const { sizeBytes, softLimitBytes, heldUpSinceMs } = wal;
  // An older node does not tell.
  const heldUpMs = typeof heldUpSinceMs === "number" ? nowMs - heldUpSinceMs : 0;
  const isLarge = sizeBytes > WAL_LARGE_FACTOR * atOnceBytes(softLimitBytes);
  const isHeldUp = heldUpMs > HELD_UP_MS && sizeBytes > HELD_UP_FACTOR * softLimitBytes;
  if (!isLarge && !isHeldUp) return;
  const by = heldUpMs > 0 ? `: a reader of an old state holds it up, for ${duration(heldUpMs)} now` : "";
  yield {
    severity: "warning",
    code: isHeldUp ? "checkpoint_held_up" : "wal_large",
    replicas: [],
    text: `the SQLite WAL has grown to ${size(sizeBytes)}${by}`,
    wayOut:
      "Something keeps an old read transaction open: find it and end it. Then the WAL starts over by itself.",
  };
}

/** How the tasks of upkeep fail, in a sentence. */
export const UPKEEP_WORDS: Readonly<Record<UpkeepTrouble["task"], string>> = {
  checkpoint: "checkpoints of the SQLite WAL fail",
  retention: "log that nobody needs cannot be removed",
  pruning: "snapshots that nobody needs cannot be removed",
  snapshot: "snapshots fail",
};

/** Beside the main work, and of either role. */
function* upkeepFindings({ upkeepTroubles = [], nowMs }: NodeDocument): Iterable<Finding> {
  for (const { task, code, message, hint, sinceMs } of upkeepTroubles) {
    yield {
      severity: "warning",
      code,
      replicas: [],
      text: `${UPKEEP_WORDS[task]}: ${message} (for ${duration(Math.max(0, nowMs - sinceMs))} now)`,
      wayOut: hint ?? "It tries again by itself; the log of the process says more.",
    };
  }
}

function* replicaFindings(node: NodeDocument, lateSeconds: number): Iterable<Finding> {
  const { applier, receiver, lag, lastError, nowMs, state, source } = node;
  const blockedBy = applier?.blockedBy ?? null;
  if (blockedBy !== null) {
    yield {
      severity: "error",
      code: blockedBy.code,
      replicas: [],
      text: `nothing is applied here: ${blockedBy.message}`,
      wayOut:
        BLOCKED_WAYS[blockedBy.code] ??
        lastError?.hint ??
        "It tries again by itself; the log of the process says more.",
    };
  }
  if ((receiver?.failures ?? 0) > 0) {
    const contactMs = receiver?.lastContactMs ?? null;
    const since = contactMs === null ? "has never answered" : `answered last ${ago(contactMs, nowMs)}`;
    yield {
      severity: "error",
      code: lastError?.code ?? "unreachable",
      replicas: [],
      text: `the source ${since}${lastError === null || lastError === undefined ? "" : `: ${lastError.message}`}`,
      wayOut:
        lastError?.hint ??
        `See whether ${source ?? "the source"} runs and can be reached from here; this replica tries again by itself.`,
    };
  } else if (isLate(lag?.seconds, lateSeconds)) {
    yield {
      severity: "warning",
      code: "late",
      replicas: [],
      text: `this replica is ${duration(lag.seconds * 1000)} behind`,
      wayOut:
        "If it does not shrink: compare the disk and the network here with the rate of commits at the primary.",
    };
  }
  if (blockedBy === null && (state === "bootstrapping" || state === "resyncing")) {
    const what =
      state === "resyncing" ? "fetching the pages that differ" : "fetching its first copy of the database";
    yield { severity: "note", code: state, replicas: [], text: `this replica is ${what}`, wayOut: null };
  }
}

const BLOCKED_WAYS: Readonly<Record<string, string>> = {
  foreign_write:
    "Somebody wrote to the replica's file. Stop whoever it was; then remove the file, and the replica fetches it anew.",
  diverged: "It resyncs by itself. Run tailrace verify against the primary afterwards, and look at the disk.",
  stale_epoch: "The source is an older primary than one seen before. Point the replica at the present one.",
};

/** Of those that ask a node. Many with the same trouble are one finding. */
export function* trackedFindings(
  { replicas, nowMs }: Pick<StatusDocument, "replicas" | "nowMs">,
  lateSeconds: number = LATE_SECONDS,
): Iterable<Finding> {
  const sorted = replicas.toSorted(compareReplicas);
  const lost = sorted.filter((replica) => troubleOf(replica, lateSeconds) === 4);
  const [anyLost] = lost;
  if (anyLost !== undefined) {
    const when = lost.length === 1 && anyLost.lostAtMs !== null ? ` ${ago(anyLost.lostAtMs, nowMs)}` : "";
    yield about(
      "error",
      "replica_lost",
      lost,
      `lost ${lost.length === 1 ? "its" : "their"} place in the log${when}`,
      "If it runs, it needs nothing: it fetches the pages that differ as soon as it asks. If it is gone for good: tailrace forget.",
    );
  }
  // Each by itself: how much time is left is what counts.
  for (const replica of sorted.filter((one) => troubleOf(one, lateSeconds) === 3)) {
    yield about(
      "error",
      "replica_endangered",
      [replica],
      `will be lost in ${leftText(replica)}`,
      "Bring it back, or give it more room with --max-log-bytes; if it is gone for good: tailrace forget.",
    );
  }
  const inactive = sorted.filter((replica) => troubleOf(replica, lateSeconds) === 2);
  const [anyInactive] = inactive;
  if (anyInactive !== undefined) {
    const since = anyInactive.inactiveSinceMs ?? anyInactive.lastSeenMs;
    const { releaseAtMs } = anyInactive;
    const held =
      releaseAtMs === null
        ? ""
        : `; its log is held for another ${duration(Math.max(0, releaseAtMs - nowMs))}`;
    const text =
      inactive.length === 1
        ? `has not asked for ${duration(nowMs - since)}${held}`
        : "have not asked for a while; their log is held for now";
    yield about(
      "warning",
      "replica_inactive",
      inactive,
      text,
      "See whether it runs and can reach this node. If it is gone for good: tailrace forget.",
    );
  }
  const late = sorted.filter((replica) => troubleOf(replica, lateSeconds) === 1);
  const [latest] = late;
  if (latest !== undefined) {
    const by = duration((latest.lagSeconds ?? 0) * 1000);
    yield about(
      "warning",
      "replica_late",
      late,
      late.length === 1 ? `is ${by} behind` : `are behind, by up to ${by}`,
      "If it does not shrink: look at its own page for the reason, at its disk and at the network between.",
    );
  }
}

/** `1.2 GiB of log, about 40 min at the present rate` */
export function leftText({ bytesUntilLost, secondsUntilLost }: ReplicaStatus): string {
  const bytes = bytesUntilLost === null ? UNKNOWN : size(bytesUntilLost);
  const time =
    secondsUntilLost === null ? "" : `, about ${duration(secondsUntilLost * 1000)} at the present rate`;
  return `${bytes} of log${time}`;
}

function about(
  severity: Severity,
  code: string,
  replicas: readonly ReplicaStatus[],
  text: string,
  wayOut: string,
): Finding {
  const ids = replicas.map(({ id }) => id);
  const named = ids.slice(0, NAMED_IDS).join(", ");
  const more = ids.length > NAMED_IDS ? ` and ${count(ids.length - NAMED_IDS)} more` : "";
  const who = ids.length === 1 ? `replica ${named}` : `${count(ids.length)} replicas (${named}${more})`;
  return { severity, code, replicas: ids, text: `${who} ${text}`, wayOut };
}
