import { DatabaseSync } from "node:sqlite";
import type { StatementSync } from "node:sqlite";
import { setImmediate } from "node:timers/promises";

/** How long a look at a replica waits for its next transfer. */
const PATIENCE_MS = 30;

/**
 * An ordinary reader of a node's file, in another process than the node's: on a replica it sees how long after its being
 * written on the primary a row can be read here. The writer's own commit (its fsync) is part of that time.
 */
export class TransferReader implements Disposable {
  private readonly database: DatabaseSync;
  private statement: StatementSync | undefined;

  constructor(file: string) {
    this.database = new DatabaseSync(file, { readOnly: true });
  }

  /** @returns the age of the next transfer at the moment at which it is seen; null when none comes soon */
  async lagMs(): Promise<number | null> {
    const first = this.newest();
    const endMs = performance.now() + PATIENCE_MS;
    while (performance.now() < endMs) {
      await setImmediate();
      const transfer = this.newest();
      if (transfer === undefined || transfer.id === first?.id) continue;
      return Math.max(0, performance.timeOrigin + performance.now() - transfer.writtenMs);
    }
    return null;
  }

  /** The number of the newest transfer that this reader sees; 0 before the first. */
  newestTransfer(): number {
    return this.newest()?.id ?? 0;
  }

  [Symbol.dispose](): void {
    this.database.close();
  }

  private newest(): { readonly id: number; readonly writtenMs: number } | undefined {
    try {
      this.statement ??= this.database.prepare(
        "SELECT id, written_ms AS writtenMs FROM tailrace_demo_transfers ORDER BY id DESC LIMIT 1",
      );
      return this.statement.get() as { id: number; writtenMs: number } | undefined;
    } catch {
      return undefined; // The table has not arrived yet.
    }
  }
}
