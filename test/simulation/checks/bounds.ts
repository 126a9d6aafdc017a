import { join } from "node:path";
import { namesIn, sizeOf } from "../world/read-file.ts";
import type { Change, Site } from "../world/site.ts";
import type { Check, Scene } from "./check.ts";
import { Violation } from "./violation.ts";

const NAME = "12 Bounds";

const MIB = 2 ** 20;
/** Timers, messages and bytes under way. */
const MAX_PENDING = 5_000;
/** Of the largest transaction, and of what is written before anybody can act. */
const SLACK_BYTES = 6 * MIB;
/** The replica's own, see replica-checkpoint-policy.ts, and one transaction. */
const REPLICA_WAL_BYTES = 32 * MIB + SLACK_BYTES;
/** Of a primary: see primary-checkpoint-policy.ts. */
const WAL_SOFT_LIMITS = 128;
/** One that is being taken, and one that somebody downloads. */
const MORE_SNAPSHOTS = 2;
/** How long a limit may be passed: until the next look, and while what holds it is brought up to date. */
const PASSED_MS = 10_000;

/** Nothing grows without bound: files, and what waits. */
export class BoundsCheck implements Check {
  private readonly scene: Scene;
  private readonly passedSinceMs = new Map<string, number>();

  constructor(scene: Scene) {
    this.scene = scene;
  }

  stepped(): void {
    if (this.scene.isBusierThan(MAX_PENDING))
      throw new Violation(NAME, `more than ${MAX_PENDING} timers, messages and packets are under way`);
  }

  changed(site: Site, { isImage, isLog }: Change): void {
    if (!site.isOpen) return this.forget(site);
    if (isImage) this.limitWal(site);
    if (isLog) this.limitLog(site);
  }

  died(site: Site): void {
    this.forget(site);
  }

  snapshots(site: Site): void {
    const { settings } = this.scene;
    const { keepSnapshots } = site.role === "primary" ? settings.primary : settings.feed;
    const folder = join(site.dataDir, "snapshots");
    const count = namesIn(folder).filter((name) => name.endsWith(".db")).length;
    this.limit(`${site.name}'s snapshots`, count, keepSnapshots + MORE_SNAPSHOTS);
  }

  private limitWal(site: Site): void {
    const bytes = sizeOf(`${site.file}-wal`) ?? 0;
    const isHeld = site.holder.isHolding || (site.role === "primary" && this.scene.isHeldUp);
    const { walSoftLimitBytes } = this.scene.settings.primary;
    const most =
      site.role === "replica" ? REPLICA_WAL_BYTES : WAL_SOFT_LIMITS * walSoftLimitBytes + SLACK_BYTES;
    this.limit(`${site.name}'s WAL`, isHeld ? 0 : bytes, most);
  }

  private limitLog(site: Site): void {
    const { settings } = this.scene;
    const { maxLogBytes } = site.role === "primary" ? settings.primary : settings.feed;
    if (maxLogBytes > 0) this.limit(`${site.name}'s log`, site.log.sizeBytes, maxLogBytes + SLACK_BYTES);
  }

  private limit(what: string, value: number, most: number): void {
    const { nowMs } = this.scene;
    if (value <= most) {
      this.passedSinceMs.delete(what);
      return;
    }
    const sinceMs = this.passedSinceMs.get(what) ?? nowMs;
    this.passedSinceMs.set(what, sinceMs);
    if (nowMs - sinceMs > PASSED_MS) throw new Violation(NAME, `${what}: ${value}, at most ${most}`);
  }

  private forget(site: Site): void {
    for (const what of this.passedSinceMs.keys())
      if (what.startsWith(`${site.name}'s`)) this.passedSinceMs.delete(what);
  }
}
