import type { ErrorData } from "./errors.ts";
import type { RecentError } from "./status.ts";

/** As many as the status shows. */
export const MAX_RECENT_ERRORS = 20;

/** An error as the status shows it. @param timeMs Unix ms */
export function recentError({ code, message, hint }: ErrorData, timeMs: number): RecentError {
  return { code, message, hint: hint ?? null, timeMs };
}

/** The newest errors of an engine, for its status. One that goes on is kept once, with the time of its last return. */
export class RecentErrors {
  private errors: readonly RecentError[] = [];
  private readonly onError: (code: string) => void;

  /** @param onError told of each one, also of those that come again: for counting */
  constructor(onError: (code: string) => void = () => {}) {
    this.onError = onError;
  }

  /** Newest last. */
  get list(): readonly RecentError[] {
    return this.errors;
  }

  get newest(): RecentError | null {
    return this.errors.at(-1) ?? null;
  }

  add(error: RecentError): void {
    this.onError(error.code);
    const last = this.errors.at(-1);
    const isSame = last?.code === error.code && last.message === error.message;
    this.errors = [...this.errors.slice(0, isSame ? -1 : undefined), error].slice(-MAX_RECENT_ERRORS);
  }
}
