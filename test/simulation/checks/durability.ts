import { crc32 } from "node:zlib";
import { segmentPathOf } from "../world/log-files.ts";
import type { Change, Site } from "../world/site.ts";
import type { Acknowledgement, Check, Scene } from "./check.ts";
import { Violation } from "./violation.ts";

const NAME = "6 Durability";

interface Kept {
  readonly logId: string;
  readonly txid: number;
  readonly after: bigint;
}

/**
 * What durable() has acknowledged has all commits up to the call, and lies on the disk, not in memory alone; and there it
 * stays, whatever dies. Nobody was sent what was not durable.
 */
export class DurabilityCheck implements Check {
  private readonly scene: Scene;
  private newest: Kept | undefined;

  constructor(scene: Scene) {
    this.scene = scene;
  }

  acknowledged({ txid, segment, offset, place }: Acknowledgement): void {
    const { primary, history, counts, settings } = this.scene;
    const { logId } = primary.log;
    if (logId === undefined)
      throw new Violation(NAME, `transaction ${txid} is acknowledged, and there is no log`);
    counts.add("acknowledged");
    if (txid === 0) return;
    const known = history.find(logId, txid);
    if (known === undefined)
      throw new Violation(NAME, `transaction ${txid} is acknowledged, and not in the log`);
    if (
      known.place < place &&
      this.scene.oracle.placeFrom(place, {
        checksum: known.record.after,
        pageCount: known.record.pageCount,
      }) === undefined
    )
      throw new Violation(
        NAME,
        `transaction ${txid} is acknowledged, but not all that was committed before that was asked`,
      );
    if (settings.primary.durability === "os" || primary.isSpoilt) return;
    const { record } = known;
    if (record.segment > segment || (record.segment === segment && record.end > offset))
      throw new Violation(
        NAME,
        `transaction ${txid} ends at ${record.segment}:${record.end}, acknowledged was ${segment}:${offset}`,
      );
    const path = segmentPathOf(primary.log.folder, record.segment);
    const bytes = primary.machine.disk.durableBytes(path);
    if (
      bytes === undefined ||
      crc32(bytes.subarray(record.offset, record.end)) !== record.crc ||
      bytes.length < record.end
    )
      throw new Violation(NAME, `transaction ${txid} is acknowledged, and would not outlive a loss of power`);
    this.newest = { logId, txid, after: record.after };
  }

  changed(site: Site, { isLog }: Change): void {
    if (site.role === "primary" && isLog && site.isReadable) this.look();
  }

  opened(site: Site): void {
    if (site.role === "primary") this.look();
  }

  /** Whoever has a record that is gone from the log it came from was sent what was not durable. */
  private lookAtSent(): void {
    const { primary, replicas, settings } = this.scene;
    const { logId, last } = primary.log;
    if (settings.primary.durability === "os" || last === undefined || primary.faults.has("stale primary"))
      return;
    for (const { name, log } of replicas)
      if (log.logId === logId && (log.last?.txid ?? 0) > last.txid)
        throw new Violation(
          NAME,
          `${name} was sent transaction ${log.last?.txid}, the log ends with ${last.txid}`,
        );
  }

  private look(): void {
    const { newest } = this;
    const { primary, history } = this.scene;
    // What the disk itself has spoilt is nobody's promise.
    if (primary.isStale || primary.isSpoilt) return;
    this.lookAtSent();
    if (newest === undefined || newest.logId !== primary.log.logId) return;
    const known = history.find(newest.logId, newest.txid);
    if (known?.record.after !== newest.after)
      throw new Violation(
        NAME,
        `transaction ${newest.txid} was acknowledged, and is not in the log any more`,
      );
  }
}
