import { existsSync } from "node:fs";
import type { Site } from "../world/site.ts";
import type { Scene } from "./check.ts";
import { Violation } from "./violation.ts";

const NAME = "Liveness";

/** What a node may end with, and the misfortune of its own that excuses it; any other end is one too many. */
const EXCUSES: Readonly<Record<string, readonly string[]>> = {
  foreign_write: ["foreign write"],
  unrelated_database: ["foreign write", "files deleted", "folder deleted"],
  storage_failed: ["disk error", "disk full", "failing sync", "read-only disk"],
  read_only: ["read-only disk", "disk error"],
  // A damaged log or page table that is needed while it runs: the next start sets it aside, or makes it anew.
  damaged: ["flip"],
  // A first answer that was spoilt on the way: the address is taken for a wrong one.
  not_tailrace: ["corrupt"],
};

/** Nothing gives up that need not; and when all misfortune is over, everything comes to one state. */
export class LivenessCheck {
  private readonly scene: Scene;

  constructor(scene: Scene) {
    this.scene = scene;
  }

  /** A node has ended by itself, or could not begin. */
  failed(site: Site, code: string, message: string): void {
    this.scene.counts.add(`ended with ${code}`);
    if (EXCUSES[code]?.some((kind) => site.faults.has(kind)) === true) return;
    if (code === "storage_failed" && wasTakenAwayAtStart(site)) return;
    throw new Violation(NAME, `${site.name} has ended with ${code}: ${message}`);
  }

  /** @returns what is not yet as it has to be; undefined where everything is */
  get missing(): string | undefined {
    const { primary, replicas, oracle, history } = this.scene;
    if (!primary.isOpen) return "the primary is not open";
    const { logId } = primary.log;
    if (logId === undefined) return "there is no log";
    const head = history.headOf(logId);
    const { present } = oracle;
    const known = history.find(logId, head);
    if (head > 0 && known?.record.after !== present.checksum) return "the log is behind the database";
    for (const site of replicas) {
      const { position } = site;
      if (!site.isOpen) return `${site.name} is not open`;
      if (position?.logId !== logId) return `${site.name} is in another log`;
      if (position.phase !== "following") return `${site.name} is ${position.phase}`;
      if (position.applied.txid !== head)
        return `${site.name} is at ${position.applied.txid}, the log at ${head}`;
      if (site.image.checksum !== present.checksum) return `${site.name} is not in the primary's state`;
    }
    return undefined;
  }

  /** The time for that is up. */
  tooLate(what: string, afterMs: number): void {
    throw new Violation(NAME, `${what}, ${Math.round(afterMs / 1000)} s after all faults were over`);
  }
}

/** Its files were deleted while it opened, before the user's own connection was there: the next start fetches them. */
function wasTakenAwayAtStart(site: Site): boolean {
  return !site.isOpen && site.faults.has("files deleted") && !existsSync(site.file);
}
