import type { Change, Site } from "../world/site.ts";
import type { Check, Forgotten } from "./check.ts";
import { Violation } from "./violation.ts";

const NAME = "9 Fencing";

/** Whoever has seen an epoch of a log takes nothing of an older one: not in its log copy, not as its position. */
export class FencingCheck implements Check {
  private readonly seen = new Map<Site, { readonly logId: string; readonly epoch: number }>();

  forgot(site: Site, what: Forgotten): void {
    // An epoch is not forgotten with the database: it stands in the data folder.
    if (what !== "database") this.seen.delete(site);
  }

  changed(site: Site, { isPosition, isLog }: Change): void {
    const { position } = site;
    if (site.role !== "replica" || !site.isReadable || position === undefined) return;
    const { logId, epoch } = position;
    const seen = this.seen.get(site);
    const isSame = seen?.logId === logId;
    if (isPosition && isSame && epoch < seen.epoch)
      throw new Violation(NAME, `${site.name} was at epoch ${seen.epoch}, and is at ${epoch}`);
    this.seen.set(site, { logId, epoch });
    if (!isLog) return;
    let newest = 0;
    for (const record of site.log.records) {
      if (record.epoch < newest)
        throw new Violation(
          NAME,
          `${site.name} has taken transaction ${record.txid} of epoch ${record.epoch} after ${newest}`,
        );
      newest = record.epoch;
    }
  }
}
