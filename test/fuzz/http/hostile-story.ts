import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as after } from "node:timers/promises";
import { contentDigest } from "../../harness/digest.ts";
import { LogPrimary } from "../../harness/log-primary.ts";
import type { Chance } from "../../harness/seed.ts";
import { FollowedReplica } from "./followed-replica.ts";
import { logLies } from "./log-lies.ts";
import type { Lie } from "./log-lies.ts";
import { LyingNode } from "./lying-node.ts";
import { snapshotLies } from "./snapshot-lies.ts";

/** A lie is told to so many requests, or until there have been so many pauses, or so many answers with something in them. */
const LIE_MS = 3_000;
const LIE_PAUSES = 5;
const LIE_MEALS = 12;
const LIE_REQUESTS = 80;
/** Requests that may come without a pause: those of the truth before, and of a few tries. */
const FREE_REQUESTS = 30;
/** Requests of one try: a resync asks for a snapshot, its checksums, pages and the log. */
const REQUESTS_A_TRY = 12;
const RECOVERY_MS = 10_000;
/** Nothing passes for the same database with other pages: a human is to look at that, and then starts it again. */
const FOR_A_HUMAN = "page_size_changed";
/** By which the pages that a lie can bring make a database larger. */
const MAX_GROWTH_PAGES = 3_000;
/** Far more than what is true takes. */
const MAX_DISK_BYTES = 192 << 20;
/** So often is an honest node refused before that is taken for good. */
const FENCED_REQUESTS = 10;
const KNOWN_FILES =
  /^edge\.db(-wal|-shm|-tailrace(\/(lock\.db(-journal)?|position|pages\.sum|meta\.json|bootstrap\.(part|json)(\.\w+)?|resync\.(sums|pages)|(log|resync\.log)(\/([0-9a-f]{16}\.log|start\.json(\.\w+)?))?))?)?$/;

/** What one lie has come to. */
export interface HostileResult {
  readonly name: string;
  readonly requests: number;
  readonly problem: string | undefined;
}

/** Every lie by its name. */
export const LIES: Readonly<Record<string, Lie>> = {
  ...Object.fromEntries(Object.entries(logLies).map(([name, lie]) => [`log: ${name}`, lie])),
  ...Object.fromEntries(Object.entries(snapshotLies).map(([name, lie]) => [`snapshot: ${name}`, lie])),
};

/** An honest primary, one that lies in its place, and a replica that follows. */
export class HostileStory {
  private readonly folder = mkdtempSync(join(tmpdir(), "tailrace-hostile-"));
  private readonly primary: LogPrimary;
  private readonly node: LyingNode;
  private replica: FollowedReplica | undefined;
  private turns = 0;

  private constructor() {
    this.primary = new LogPrimary(join(this.folder, "primary"));
    this.node = new LyingNode(this.primary);
  }

  static async start(): Promise<HostileStory> {
    const story = new HostileStory();
    story.primary.insert(200);
    await story.primary.listen();
    await story.node.listen();
    return story;
  }

  /** Tells a lie to a replica that follows, or to one that has nothing yet, and then the truth again. */
  async tell(name: string, chance: Chance): Promise<HostileResult> {
    const answering = LIES[name]!(chance);
    const isNewcomer = name.startsWith("snapshot") && chance.next() < 0.5;
    if (isNewcomer) await this.dropReplica();
    else await this.follows();
    this.node.lie(answering);
    const replica = (this.replica ??= this.newReplica());
    replica.resetPauses();
    const wrong = await this.lied(replica);
    const { requests } = this.node;
    const problem = wrong ?? (await this.recovered(await this.helped(replica)));
    // What one lie has left behind is not to be blamed on the next.
    if (problem !== undefined) await this.dropReplica();
    return { name, requests, problem };
  }

  async close(): Promise<void> {
    await this.replica?.close();
    await this.node.close();
    await this.primary.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async follows(): Promise<void> {
    this.node.tellTheTruth();
    this.replica ??= this.newReplica();
    const problem = await this.recovered(this.replica);
    if (problem !== undefined) throw new Error(`before any lie: ${problem}`);
  }

  /** @returns what went wrong while it was lied to */
  private async lied(replica: FollowedReplica): Promise<string | undefined> {
    const { node } = this;
    const end = performance.now() + LIE_MS;
    const isTold = (): boolean =>
      node.requests >= LIE_REQUESTS || node.meals >= LIE_MEALS || replica.pauses >= LIE_PAUSES;
    while (!isTold() && performance.now() < end && replica.stoppedBy === undefined) await after(1);
    const { requests } = node;
    const { pauses, pauseMs, stoppedBy } = replica;
    if (pauseMs < pauses) return `${pauses} pauses of ${pauseMs} ms in all`;
    if (requests > FREE_REQUESTS + pauses * REQUESTS_A_TRY)
      return `${requests} requests with ${pauses} pauses`;
    if (stoppedBy !== undefined && stoppedBy !== FOR_A_HUMAN) return `it stopped for good: ${stoppedBy}`;
    return this.fileProblem() ?? this.sizeProblem(replica) ?? this.readProblem(replica);
  }

  /** Starts it again where that is what it asks for. */
  private async helped(replica: FollowedReplica): Promise<FollowedReplica> {
    if (replica.stoppedBy === undefined) return replica;
    this.node.tellTheTruth();
    await replica.close();
    this.replica = this.newReplica();
    return this.replica;
  }

  /** @returns what goes wrong although it is told the truth */
  private async recovered(replica: FollowedReplica): Promise<string | undefined> {
    const { primary, node } = this;
    node.tellTheTruth();
    primary.insert(1);
    const end = performance.now() + RECOVERY_MS;
    const isSame = (): boolean => replica.checksum === primary.checksum;
    while (!isSame() && performance.now() < end) {
      // The last of the lies may have come as the truth began.
      if (replica.stoppedBy === FOR_A_HUMAN) return await this.recovered(await this.helped(replica));
      if (replica.stoppedBy !== undefined) break;
      // Who has seen a newer epoch, from whomever, refuses the older one: that is what epochs are for.
      if (replica.status.lastError?.code === "stale_epoch" && node.requests > FENCED_REQUESTS)
        return this.fenced();
      await after(2);
    }
    if (!isSame()) {
      const { state, lastError } = replica.status;
      return `it does not recover: ${replica.stoppedBy ?? state}, ${lastError?.code} ${lastError?.message}`;
    }
    return this.readProblem(replica) ?? this.difference(replica);
  }

  /** The way out that docs/operations.md names: the replica is made anew. */
  private async fenced(): Promise<string | undefined> {
    await this.dropReplica();
    this.replica = this.newReplica();
    return await this.recovered(this.replica);
  }

  private fileProblem(): string | undefined {
    const folder = this.replicaFolder;
    let bytes = 0;
    for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
      if (!KNOWN_FILES.test(name)) return `a file that should not be: ${name}`;
      const stats = statSync(join(folder, name), { throwIfNoEntry: false });
      bytes += (stats?.blocks ?? 0) * 512;
    }
    const others = readdirSync(this.folder).filter((name) => !/^(primary|replica-\d+)$/.test(name));
    if (others.length > 0) return `files beside its own: ${others.join(", ")}`;
    return bytes > MAX_DISK_BYTES ? `${bytes} bytes on the disk` : undefined;
  }

  private sizeProblem({ status }: FollowedReplica): string | undefined {
    const pages = status.database.pageCount ?? 0;
    return pages > this.primary.pageCount + MAX_GROWTH_PAGES
      ? `it takes its database for ${pages} pages`
      : undefined;
  }

  /** Whoever has the file open reads on. */
  private readProblem(replica: FollowedReplica): string | undefined {
    if (statSync(replica.file, { throwIfNoEntry: false }) === undefined) return undefined;
    try {
      using database = new DatabaseSync(replica.file, { readOnly: true });
      const { rows } = database.prepare("SELECT count(*) AS rows FROM t").get() as { rows: number };
      return rows >= 200 ? undefined : `a reader sees ${rows} rows`;
    } catch (error) {
      return `a reader fails: ${String(error)}`;
    }
  }

  private difference(replica: FollowedReplica): string | undefined {
    const [here, there] = [contentOf(replica.file), contentOf(this.primary.file)];
    return here === there ? undefined : `it differs: ${here} from ${there}`;
  }

  private async dropReplica(): Promise<void> {
    await this.replica?.close();
    rmSync(this.replicaFolder, { recursive: true, force: true });
    this.replica = undefined;
    this.turns += 1;
  }

  private get replicaFolder(): string {
    return join(this.folder, `replica-${this.turns}`);
  }

  private newReplica(): FollowedReplica {
    return new FollowedReplica(join(this.replicaFolder, "edge.db"), this.node.url, 0);
  }
}

/** By SQLite's own reading, not by ours. */
function contentOf(file: string): string {
  using database = new DatabaseSync(file, { readOnly: true });
  return `${JSON.stringify(database.prepare("PRAGMA integrity_check").get())} ${contentDigest(database)}`;
}
