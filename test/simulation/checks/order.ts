import type { LoggedRecord } from "../world/log-files.ts";
import type { Change, Site } from "../world/site.ts";
import type { Check, Scene } from "./check.ts";
import { Violation } from "./violation.ts";

const NAME = "1 Order";

/**
 * Each new record of the primary's log is the very next commit of the application; txids are dense. A record that stands for
 * several commits exists only where Tailrace was not there to see them.
 */
export class OrderCheck implements Check {
  private readonly scene: Scene;
  private logId = "";
  /** Commits may have been missed since the newest record: the node was down, or could not do its work. */
  private mayHaveMissed = true;

  constructor(scene: Scene) {
    this.scene = scene;
  }

  opened(site: Site): void {
    if (site.role === "primary") this.mayHaveMissed = true;
  }

  died(site: Site): void {
    if (site.role === "primary") this.mayHaveMissed = true;
  }

  changed(site: Site, { isLog }: Change): void {
    if (!isLog || site.role !== "primary") return;
    const { history, counts } = this.scene;
    const { log } = site;
    const { logId } = log;
    if (logId === undefined) return;
    if (site.isStale) {
      for (const record of log.records) history.wrote(logId, record);
      return;
    }
    if (logId !== this.logId) {
      this.logId = logId;
      this.mayHaveMissed = true;
      counts.add("logs begun");
    }
    const head = log.last?.txid;
    if (head !== undefined && head < history.headOf(logId)) {
      history.cut(logId, head);
      counts.add("logs cut");
    }
    for (const segment of log.list()) {
      if (segment.records.length > 0 && segment.records[0]!.txid !== segment.firstTxid)
        throw new Violation(NAME, `segment ${segment.segment} begins with another transaction than it says`);
      for (const record of segment.records) this.enter(logId, record, segment.checksumBefore);
    }
  }

  private enter(logId: string, record: LoggedRecord, segmentBefore: bigint): void {
    const { history, oracle, counts } = this.scene;
    const known = history.find(logId, record.txid);
    if (known !== undefined) {
      if (known.record.crc === record.crc) return;
      history.cut(logId, record.txid - 1);
    }
    const { txid, before, after, pageCount } = record;
    const last = history.find(logId, txid - 1);
    if (txid > 1 && history.knows(logId) && last === undefined)
      throw new Violation(NAME, `transaction ${txid} follows on ${history.headOf(logId)}`);
    if (before !== (last?.record.after ?? segmentBefore))
      throw new Violation(NAME, `transaction ${txid} does not begin where ${txid - 1} ends`);
    const state = { checksum: after, pageCount };
    const found = oracle.find(state);
    const isSame = last !== undefined && isSameState(record, last.record);
    const nextOnes = found.filter(({ index, parent }) =>
      last === undefined
        ? oracle.commits[parent]?.checksum === before
        : last.commits.has(parent) || (isSame && last.commits.has(index)),
    );
    if (record.isDifference && !this.mayHaveMissed)
      throw new Violation(
        NAME,
        `transaction ${txid} is a difference, though the primary was there all the time`,
      );
    if (!record.isDifference && nextOnes.length === 0)
      throw new Violation(
        NAME,
        `transaction ${txid} is not the commit after ${txid - 1}; ${describe(found)}`,
      );
    const place = oracle.placeFrom(last?.place ?? 0, state);
    if (place === undefined)
      throw new Violation(
        NAME,
        `transaction ${txid} is a state that the database was not in after ${txid - 1}`,
      );
    const commits = record.isDifference ? found : nextOnes;
    history.enter(logId, { record, place, commits: new Set(commits.map(({ index }) => index)) });
    counts.add(record.isDifference ? "differences logged" : "commits logged");
    // Whoever begins a WAL anew while all pages are compared makes the node compare them once more.
    if (!record.isDifference) this.mayHaveMissed = false;
  }
}

/** Whether it is another commit than the one before, with frames of its own, and changed nothing: it wrote what there was. */
function isSameState(record: LoggedRecord, last: LoggedRecord): boolean {
  const isAnother = !sourceOf(record).equals(sourceOf(last));
  return isAnother && record.after === last.after && record.pageCount === last.pageCount;
}

/** Where it stood in the primary's WAL, and that frame's checksum. */
function sourceOf({ header }: LoggedRecord): Buffer {
  return header.subarray(68, 88);
}

function describe(found: readonly { readonly index: number; readonly parent: number }[]): string {
  if (found.length === 0) return "it is no committed state at all";
  return found.map(({ index, parent }) => `it is commit ${index}, made from ${parent}`).join(", ");
}
