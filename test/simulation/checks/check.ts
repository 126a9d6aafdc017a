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

export type Forgotten = "database" | "position" | "everything";

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
  /** Whether the application is in the midst of something that keeps others from working. */
  readonly isHeldUp: boolean;
  /** Whether more timers, messages and bytes are under way than so many. */
  isBusierThan(events: number): boolean;
}

/** The site, and the nodes that its log has come through, up to the primary. */
export function sourcesOf({ settings, primary, replicas }: Scene, site: Site): readonly Site[] {
  const sources = [site];
  for (let at: Site | undefined = site; at !== undefined && at !== primary;) {
    const follows = settings.replicas.find(({ name }) => name === at?.name)?.follows;
    at = [primary, ...replicas].find(({ name }) => name === follows);
    if (at !== undefined) sources.push(at);
  }
  return sources;
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
  /** A replica's database is deleted, or where it stood is spoilt by a bit, or all that it had is gone. */
  forgot?(site: Site, what: Forgotten): void;
  /** After each step, whatever has changed. */
  stepped?(): void;
  /** The faults are over, everything is at rest. */
  ended?(): void;
}
