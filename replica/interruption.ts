import { TailraceError } from "../shared/errors.ts";
import type { Remedy } from "../shared/plan/follow-state.ts";

/** What befalls a follower beside the step that it is at. */
export interface Interruption {
  readonly error: TailraceError;
  /** Where the error's code alone does not say it. */
  readonly remedy?: Remedy;
  /** What has to be opened and proven anew: the standing, or the database with it, by its readers too. */
  readonly givenUp?: "standing" | "database";
}

/** Nothing stands at the database's path. */
export function databaseGone(file: string): Interruption {
  return { error: gone(file), remedy: "bootstrap", givenUp: "database" };
}

/** Nobody who comes now finds what is committed here: what he does find is compared, once all that is open is closed. */
export function walGone(file: string): Interruption {
  return { error: gone(`the SQLite WAL of ${file}`), remedy: "resync", givenUp: "database" };
}

/** One of the replica's own files: it is put back before the standing is proven again. */
export function fileGone(path: string): Interruption {
  return { error: gone(path), givenUp: "standing" };
}

function gone(what: string): TailraceError {
  return new TailraceError("storage_failed", `${what} is gone`, { retryable: true });
}
