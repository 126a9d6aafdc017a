import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileBytes, namesIn } from "../world/read-file.ts";
import type { Change, Site } from "../world/site.ts";
import type { Check, Scene } from "./check.ts";
import { Violation } from "./violation.ts";

const NAME = "8 Retention";

/** A notice comes by a message, a moment after what it tells of. */
const TOLD_WITHIN_MS = 2_000;

/** A replica is told lost so long after the log was past its limit, at most: until the next look at it, and a message more. */
const LOST_WITHIN_MS = 5_000;

interface LogSize {
  readonly atMs: number;
  readonly bytes: number;
}

interface Owed {
  readonly node: Site;
  readonly id: string;
  readonly sinceMs: number;
  readonly what: string;
}

/**
 * No segment goes that a replica follows on, but past the limit, and then the replica is named. None goes that the newest
 * snapshot goes on with. No replica is lost within the limit.
 */
export class RetentionCheck implements Check {
  private readonly scene: Scene;
  /** Which replicas each node has said to know; their ids are their names. */
  private readonly tracked = new Map<Site, Set<string>>();
  /** The first segment of the log, and its id, when it was looked at last. */
  private readonly starts = new Map<Site, { readonly logId: string; readonly segment: number }>();
  /** The last segment that a replica has had, and of which log: what nobody forces to its disk may be gone again. */
  private readonly reached = new Map<Site, { readonly logId: string; readonly segment: number }>();
  /** How large each log was of late. */
  private readonly sizes = new Map<Site, readonly LogSize[]>();
  private readonly diedMs = new Map<Site, number>();
  private owed: Owed[] = [];

  constructor(scene: Scene) {
    this.scene = scene;
  }

  changed(site: Site, { isLog }: Change): void {
    if (!isLog || !site.isReadable) return;
    this.measure(site);
    if (site.role === "replica") this.reach(site);
    if (site.role !== "primary" || site.isStale) return;
    const [first] = site.log.list();
    const logId = site.log.logId;
    if (first === undefined || logId === undefined) return;
    const before = this.starts.get(site);
    this.starts.set(site, { logId, segment: first.segment });
    if (before?.logId !== logId || before.segment >= first.segment) return;
    this.scene.counts.add("segments dropped", first.segment - before.segment);
    this.dropped(site, first.segment, logId);
  }

  noticed(site: Site, name: string, fields: Readonly<Record<string, unknown>>): void {
    const { id } = fields as { readonly id: string };
    const tracked = this.tracked.get(site) ?? new Set();
    this.tracked.set(site, tracked);
    if (name === "replica_seen" || name === "replica_back") tracked.add(id);
    if (["replica_lost", "replica_released", "replica_forgotten", "replica_displaced"].includes(name)) {
      tracked.delete(id);
      this.owed = this.owed.filter((owed) => owed.node !== site || owed.id !== id);
    }
    if (name === "replica_lost") this.lost(site, id);
  }

  /** A node knows again what it has written down. */
  opened(site: Site): void {
    this.passOver(site);
    const known = writtenReplicas(site).filter(
      ({ logId, lostAtMs }) => logId === site.log.logId && lostAtMs === null,
    );
    this.tracked.set(site, new Set(known.map(({ id }) => id)));
  }

  died(site: Site): void {
    this.tracked.delete(site);
    this.diedMs.set(site, this.scene.nowMs);
    this.owed = this.owed.filter(({ node }) => node !== site);
  }

  stepped(): void {
    const late = this.owed.find(({ sinceMs }) => this.scene.nowMs - sinceMs > TOLD_WITHIN_MS);
    if (late !== undefined) throw new Violation(NAME, late.what);
  }

  private dropped(site: Site, firstSegment: number, logId: string): void {
    const snapshot = newestSnapshot(site);
    if (snapshot !== undefined && snapshot.logId === logId && snapshot.cursor.segment < firstSegment)
      throw new Violation(
        NAME,
        `the log begins with segment ${firstSegment}, the newest snapshot goes on in ${snapshot.cursor.segment}`,
      );
    for (const replica of this.scene.replicas) {
      const { position, name: id } = replica;
      if (position?.logId !== logId || this.tracked.get(site)?.has(id) !== true) continue;
      const reached = this.reached.get(replica);
      const needed =
        reached?.logId === logId && !this.isForced(replica)
          ? // A copy that begins within a segment has no header that names its log; its position does.
            Math.max(reached.segment, position.applied.segment)
          : (this.neededBy(replica, logId) ?? position.applied.segment);
      if (needed >= firstSegment) continue;
      const what = `${id}, which goes on in segment ${needed}, was not told that the log begins with ${firstSegment}`;
      this.owed.push({ node: site, id, sinceMs: this.scene.nowMs, what });
    }
  }

  private reach(site: Site): void {
    const segment = site.log.list().at(-1)?.segment;
    const { logId } = site.log;
    if (segment === undefined || logId === undefined) return;
    const before = this.reached.get(site);
    const isFurther = before?.logId !== logId || before.segment < segment;
    if (isFurther) this.reached.set(site, { logId, segment });
  }

  /** Whether what it has said to have is what it has, also after a loss of power. */
  private isForced({ name }: Site): boolean {
    return this.scene.settings.replicas.find((replica) => replica.name === name)?.durability !== "os";
  }

  /** The segment that it goes on in: the one after its last, where it has all of that. */
  private neededBy(replica: Site, logId: string): number | undefined {
    const newest = replica.log.list().at(-1);
    if (newest === undefined) return undefined;
    const next = this.scene.history.find(logId, (replica.log.last?.txid ?? -1) + 1)?.record;
    const isWhole = newest.end === newest.size && next !== undefined && next.segment > newest.segment;
    return newest.segment + (isWhole ? 1 : 0);
  }

  private lost(site: Site, id: string): void {
    const { settings, counts } = this.scene;
    counts.add("replicas lost");
    // A replica's log copy also goes when it resyncs, and with it the place of those that it feeds.
    if (site.role !== "primary") return;
    const { maxLogBytes } = settings.primary;
    const largest = Math.max(0, ...(this.sizes.get(site) ?? []).map(({ bytes }) => bytes));
    if (maxLogBytes === 0 || largest <= maxLogBytes)
      throw new Violation(
        NAME,
        `${id} is lost at ${site.name}, whose log had no more than ${largest} bytes of late`,
      );
  }

  private measure(site: Site): void {
    const { nowMs } = this.scene;
    const sizes = this.sizes.get(site) ?? [];
    // Each was the size until the next: the one that stood when the time of grace began counts as well.
    const recent = sizes.filter((_, index) => nowMs - (sizes[index + 1]?.atMs ?? nowMs) <= LOST_WITHIN_MS);
    this.sizes.set(site, [...recent, { atMs: nowMs, bytes: site.log.sizeBytes }]);
  }

  /** For a node, the time that it was down did not pass. */
  private passOver(site: Site): void {
    const downMs = this.scene.nowMs - (this.diedMs.get(site) ?? this.scene.nowMs);
    const sizes = this.sizes.get(site) ?? [];
    this.sizes.set(
      site,
      sizes.map(({ atMs, bytes }) => ({ atMs: atMs + downMs, bytes })),
    );
  }
}

interface Snapshot {
  readonly logId: string;
  readonly cursor: { readonly segment: number };
}

function newestSnapshot(site: Site): Snapshot | undefined {
  const folder = join(site.dataDir, "snapshots");
  try {
    const newest = namesIn(folder).findLast((name) => name.endsWith(".json"));
    return newest === undefined
      ? undefined
      : (JSON.parse(readFileSync(join(folder, newest), "utf8")) as Snapshot);
  } catch {
    return undefined;
  }
}

interface WrittenReplica {
  readonly id: string;
  readonly logId: string;
  readonly lostAtMs: number | null;
}

/** Nothing where a bit has flipped. */
function writtenReplicas(site: Site): readonly WrittenReplica[] {
  try {
    const text = fileBytes(join(site.dataDir, "replicas.json"))?.toString() ?? "{}";
    return (JSON.parse(text) as { replicas?: readonly WrittenReplica[] }).replicas ?? [];
  } catch {
    return [];
  }
}
