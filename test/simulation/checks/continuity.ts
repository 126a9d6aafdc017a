import type { LoggedRecord } from "../world/log-files.ts";
import type { Change, Site } from "../world/site.ts";
import type { Check, Scene } from "./check.ts";
import { Violation } from "./violation.ts";

const NAME = "7 Continuity";

/**
 * What a replica has of the log is what a primary wrote, be it one that has lost it since, or was replaced; what it has
 * applied is a state of that log, at its very place.
 */
export class ContinuityCheck implements Check {
  private readonly scene: Scene;
  private readonly compared = new WeakSet<LoggedRecord>();

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
    if (logId === undefined || !history.hasSeen(logId)) return;
    for (const record of site.log.records) {
      if (this.compared.has(record)) continue;
      this.compared.add(record);
      counts.add("records compared");
      const written = history.everWritten(logId, record.txid);
      if (written.length === 0)
        throw new Violation(NAME, `${site.name} has transaction ${record.txid}, which no primary ever wrote`);
      if (!written.some(({ crc }) => crc === record.crc))
        throw new Violation(
          NAME,
          `${site.name} has another transaction ${record.txid} than any primary wrote`,
        );
    }
  }

  private comparePosition(site: Site): void {
    const { history } = this.scene;
    const { position } = site;
    if (position === undefined || position.phase === "resyncing") return;
    const { applied, logId } = position;
    if (applied.txid === 0 || !history.hasSeen(logId)) return;
    const states = history
      .everWritten(logId, applied.txid)
      .filter(({ after, pageCount }) => after === applied.checksum && pageCount === applied.pageCount);
    if (states.length === 0)
      throw new Violation(
        NAME,
        `${site.name} has applied transaction ${applied.txid} to a state that is not its`,
      );
    const isPlaced = states.some(
      ({ segment, end }) =>
        (applied.segment === segment && applied.offset === end) || applied.segment === segment + 1,
    );
    if (!isPlaced)
      throw new Violation(
        NAME,
        `${site.name} says that transaction ${applied.txid} ends at ${applied.segment}:${applied.offset}`,
      );
  }
}
