import type { Change, Site } from "../world/site.ts";
import type { Check, Scene } from "./check.ts";
import { Violation } from "./violation.ts";

const NAME = "7 Continuity";

/** What a replica has of the log is what the primary wrote; what it has applied is a state of that log, at its very place. */
export class ContinuityCheck implements Check {
  private readonly scene: Scene;
  /** The newest record that was compared, by site. */
  private readonly compared = new Map<Site, { readonly logId: string; readonly txid: number }>();

  constructor(scene: Scene) {
    this.scene = scene;
  }

  changed(site: Site, { isLog, isPosition }: Change): void {
    if (site.role !== "replica" || !site.isReadable) return;
    if (isLog) this.compareLog(site);
    if (isPosition) this.comparePosition(site);
  }

  private compareLog(site: Site): void {
    const { history, counts } = this.scene;
    const logId = site.log.logId ?? site.position?.logId;
    if (logId === undefined || !history.knows(logId)) return;
    const before = this.compared.get(site);
    const from = before?.logId === logId ? before.txid : 0;
    for (const record of site.log.records) {
      if (record.txid <= from) continue;
      const known = history.find(logId, record.txid);
      if (known === undefined && this.mayHaveLost) continue;
      if (known === undefined)
        throw new Violation(
          NAME,
          `${site.name} was sent transaction ${record.txid}, the log ends with ${history.headOf(logId)}`,
        );
      if (known.record.crc !== record.crc && !this.mayHaveLost)
        throw new Violation(NAME, `${site.name} has another transaction ${record.txid} than the primary`);
      counts.add("records compared");
      this.compared.set(site, { logId, txid: record.txid });
    }
  }

  private comparePosition(site: Site): void {
    const { history } = this.scene;
    const { position } = site;
    if (position === undefined || position.phase === "resyncing" || this.mayHaveLost) return;
    const { applied, logId } = position;
    const known = history.find(logId, applied.txid);
    if (known === undefined) {
      if (applied.txid === 0 || !history.knows(logId)) return;
      throw new Violation(
        NAME,
        `${site.name} has applied transaction ${applied.txid}, the log ends with ${history.headOf(logId)}`,
      );
    }
    const { record } = known;
    if (record.after !== applied.checksum || record.pageCount !== applied.pageCount)
      throw new Violation(
        NAME,
        `${site.name} has applied transaction ${applied.txid} to another state than the primary's`,
      );
    const isAtEnd = applied.segment === record.segment && applied.offset === record.end;
    const isAtNext = applied.segment === record.segment + 1;
    if (!isAtEnd && !isAtNext)
      throw new Violation(
        NAME,
        `${site.name} says that transaction ${applied.txid} ends at ${applied.segment}:${applied.offset}`,
      );
  }

  /**
   * In mode `os` a machine that goes down takes with it what replicas have seen; and so may a bit that flips in the log. A
   * primary that was replaced writes a history of its own, for those who have not heard of it.
   */
  private get mayHaveLost(): boolean {
    if (this.scene.primary.isSpoilt || this.scene.faults.has("stale primary")) return true;
    return this.scene.settings.primary.durability === "os" && this.scene.faults.has("power loss");
  }
}
