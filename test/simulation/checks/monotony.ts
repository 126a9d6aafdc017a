import type { Change, Site } from "../world/site.ts";
import type { Check, Scene } from "./check.ts";
import { Violation } from "./violation.ts";

const NAME = "3 Monotony";

/** A landing is announced when it is over: the files may show it that much before. */
const ANNOUNCED_WITHIN_MS = 2_000;

/**
 * What a reader of a replica sees goes the way of the primary's own history, never back on it. Txids of one log go back only
 * where that is announced.
 */
export class MonotonyCheck implements Check {
  private readonly scene: Scene;
  private readonly seen = new Map<Site, { readonly logId: string; readonly txid: number }>();
  private readonly announcedMs = new Map<Site, number>();
  private readonly owed: { readonly site: Site; readonly sinceMs: number; readonly what: string }[] = [];

  constructor(scene: Scene) {
    this.scene = scene;
  }

  changed(site: Site, change: Change): void {
    if (site.role !== "replica" || !site.isReadable) return;
    if (change.isImage) this.follow(site);
    if (change.isPosition) this.count(site);
  }

  glanced(site: Site): void {
    if (site.role === "replica" && site.isReadable) this.follow(site);
  }

  noticed(site: Site, name: string): void {
    if (name === "resync_done" || name === "bootstrap_done" || name === "rebuilt")
      this.announcedMs.set(site, this.scene.nowMs);
  }

  died(site: Site, how: "kill" | "power loss"): void {
    // Whoever has read there is gone with the machine; with a log copy that nothing forces to the disk it may have lost some.
    if (how === "power loss") this.seen.delete(site);
    // Nobody lives to announce it.
    for (let index = this.owed.length - 1; index >= 0; index--)
      if (this.owed[index]!.site === site) this.owed.splice(index, 1);
  }

  forgot(site: Site): void {
    this.seen.delete(site);
  }

  stepped(): void {
    const { nowMs } = this.scene;
    while (this.owed.length > 0 && nowMs - this.owed[0]!.sinceMs > ANNOUNCED_WITHIN_MS) {
      const { site, sinceMs, what } = this.owed.shift()!;
      if ((this.announcedMs.get(site) ?? -Infinity) < sinceMs - ANNOUNCED_WITHIN_MS)
        throw new Violation(NAME, what);
    }
  }

  private follow(site: Site): void {
    const { oracle } = this.scene;
    // Epochs are of one log: a replaced primary with another one than its successor is not known for what it is.
    if (site.isForeign || this.scene.primary.faults.has("another log of a stale primary")) return;
    const place = oracle.placeFrom(site.isFresh ? 0 : site.place, site.image);
    if (place === undefined) {
      const earlier = oracle.placeFrom(0, site.image);
      if (earlier === undefined) return;
      throw new Violation(
        NAME,
        `readers of ${site.name} were at state ${site.place}, and are at ${earlier} now`,
      );
    }
    site.place = place;
    site.isFresh = false;
  }

  private count(site: Site): void {
    const { position } = site;
    if (position === undefined || position.phase === "resyncing") return;
    const { logId, applied } = position;
    const seen = this.seen.get(site);
    if (seen?.logId === logId && applied.txid < seen.txid) {
      const what = `${site.name} went back from transaction ${seen.txid} to ${applied.txid} without a word`;
      this.owed.push({ site, sinceMs: this.scene.nowMs, what });
      this.scene.counts.add("replicas went back");
    }
    this.seen.set(site, { logId, txid: applied.txid });
  }
}
