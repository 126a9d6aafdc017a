import type { Counts } from "../world/counts.ts";
import type { LogHistory } from "../world/log-history.ts";
import type { Oracle } from "../world/oracle.ts";
import type { Settings } from "../world/settings.ts";
import type { Change, Site } from "../world/site.ts";

/** What a primary's handle has answered to durable(). */
export interface Acknowledgement {
  readonly txid: number;
  readonly segment: number;
  readonly offset: number;
  /** Of the oracle's timeline, when it was asked for. */
  readonly place: number;
}

/** What checkers may look at. */
export interface Scene {
  readonly settings: Settings;
  readonly oracle: Oracle;
  readonly history: LogHistory;
  readonly counts: Counts;
  readonly primary: Site;
  readonly replicas: readonly Site[];
  /** Virtual time. */
  readonly nowMs: number;
  /** What went wrong by intention so far, by kind. */
  readonly faults: ReadonlySet<string>;
  /** Whether the application is in the midst of something that keeps others from working. */
  readonly isHeldUp: boolean;
  /** Timers, messages and bytes that are under way. */
  readonly pendingEvents: number;
}

/** The checker of one invariant. Each throws a Violation. */
export interface Check {
  /** Files of a site have changed. */
  changed?(site: Site, change: Change): void;
  /** Between two system calls of a site's process. */
  glanced?(site: Site): void;
  acknowledged?(acknowledgement: Acknowledgement): void;
  /** A node has told of something. */
  noticed?(site: Site, name: string, fields: Readonly<Record<string, unknown>>): void;
  /** A node is open. */
  opened?(site: Site): void;
  /** A process or a machine went down. */
  died?(site: Site, how: "kill" | "power loss"): void;
  /** What a replica has written down of itself is gone, as a whole or in part: deleted, or spoilt by a bit. */
  forgot?(site: Site): void;
  /** After each step, whatever has changed. */
  stepped?(): void;
  /** The faults are over, everything is at rest. */
  ended?(): void;
}
