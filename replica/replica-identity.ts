import { existsSync } from "node:fs";
import { TailraceError } from "../shared/errors.ts";
import type { Position } from "../shared/format/position.ts";
import { identityOf } from "../shared/sqlite/held-files.ts";
import { readMeta, writeMeta } from "../shared/storage/meta-file.ts";
import type { ReplicaMeta } from "../shared/storage/meta-file.ts";

/**
 * Who this replica is, and the newest history that it has seen: meta.json. Where it stands in that history is the
 * position's to say; this is written more rarely, but always durably, so that after a power loss it can know of a newer
 * epoch than the position does.
 */
export class ReplicaIdentity {
  readonly path: string;
  private meta: ReplicaMeta;

  private constructor(path: string, meta: ReplicaMeta) {
    this.path = path;
    this.meta = meta;
  }

  /**
   * The replica's name is on the disk when this returns: whatever becomes of the first bootstrap, the primary never
   * meets one replica under two names.
   *
   * @param given takes the place of the name that was kept
   * @param draw makes one up, at the first start
   * @throws invalid_configuration in a primary's folder; damaged, unknown_version, storage_failed
   */
  static open(path: string, given: string | undefined, draw: () => string): ReplicaIdentity {
    const known = readMeta(path);
    if (known?.role === "primary") {
      throw new TailraceError("invalid_configuration", `${path} says that the folder is a primary's`, {
        hint: "Choose another path for the replica.",
      });
    }
    const replicaId = given ?? known?.replicaId ?? draw();
    const meta: ReplicaMeta = { ...known, role: "replica", replicaId };
    if (known?.replicaId !== replicaId) writeMeta(path, meta);
    return new ReplicaIdentity(path, meta);
  }

  get isHere(): boolean {
    return existsSync(this.path);
  }

  /** Writes it anew where somebody has deleted it. @throws storage_failed */
  putBack(): void {
    writeMeta(this.path, this.meta);
  }

  get replicaId(): string {
    return this.meta.replicaId;
  }

  /** The history of the last landing, or of a later epoch of it. */
  get seen(): Pick<ReplicaMeta, "logId" | "epoch"> {
    return this.meta;
  }

  /** Takes down what has changed. The epoch of one history never goes back. @throws storage_failed */
  note({ logId, epoch: newEpoch, pageSizeBytes }: Position, file: string): void {
    const { meta } = this;
    const epoch = meta.logId === logId ? Math.max(meta.epoch ?? 0, newEpoch) : newEpoch;
    if (meta.logId === logId && meta.epoch === epoch && meta.pageSizeBytes === pageSizeBytes) return;
    const changed = { ...meta, logId, epoch, pageSizeBytes, databaseFile: identityOf(file) };
    writeMeta(this.path, changed);
    this.meta = changed;
  }
}
