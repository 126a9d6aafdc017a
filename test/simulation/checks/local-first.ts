import { DatabaseSync } from "node:sqlite";
import { readContent } from "../world/content.ts";
import type { Check, Scene } from "./check.ts";
import { Violation } from "./violation.ts";

const NAME = "10 Local first";

/** A writer that tries again is let through within this, of virtual time. */
const MAX_REFUSED_MS = 10_000;

/**
 * Nobody but the application changes what is in its database, nobody keeps its writers waiting, and what is left when
 * Tailrace has stopped is an ordinary database.
 */
export class LocalFirstCheck implements Check {
  private readonly scene: Scene;
  private refusedSinceMs: number | undefined;

  constructor(scene: Scene) {
    this.scene = scene;
  }

  /** The database is in another state, and it was not the application that put it there. */
  foreignState(): void {
    throw new Violation(NAME, "the database is in a state that the application never committed");
  }

  /** The application could write, or could not. */
  wrote(refusedWith: number | undefined): void {
    const { nowMs, isHeldUp } = this.scene;
    if (refusedWith === undefined || isHeldUp) {
      this.refusedSinceMs = undefined;
      return;
    }
    this.refusedSinceMs ??= nowMs;
    if (nowMs - this.refusedSinceMs > MAX_REFUSED_MS)
      throw new Violation(
        NAME,
        `for ${MAX_REFUSED_MS} ms no writer was let through (SQLite says ${refusedWith})`,
      );
  }

  ended(): void {
    const { primary, oracle } = this.scene;
    const database = new DatabaseSync(primary.file);
    try {
      const [{ integrity_check: verdict }] = database.prepare("PRAGMA integrity_check").all() as [
        { integrity_check: string },
      ];
      if (verdict !== "ok") throw new Violation(NAME, `SQLite says: ${verdict}`);
      const { step, digest } = readContent(database);
      if (digest !== oracle.present.digest)
        throw new Violation(
          NAME,
          `the database is at step ${step}, the application's last was ${oracle.present.step}`,
        );
    } finally {
      database.close();
    }
  }
}
