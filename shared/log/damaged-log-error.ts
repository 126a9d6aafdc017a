import { TailraceError } from "../errors.ts";
import type { Cursor } from "../units.ts";

/** `damaged`, with the place in the log: nothing from there on is used. */
export class DamagedLogError extends TailraceError {
  readonly at: Cursor;
  /** What is wrong there. */
  readonly what: string;
  /** The bytes do not match their checksum; otherwise they do, and contradict what came before. */
  readonly isUnreadable: boolean;

  constructor(at: Cursor, what: string, cause?: unknown) {
    super("damaged", `log segment ${at.segment} is damaged at offset ${at.offset}: ${what}`, {
      hint: "The file was changed by something other than Tailrace, or the disk lost part of it.",
      ...(cause === undefined ? {} : { cause }),
    });
    this.at = at;
    this.what = what;
    this.isUnreadable = cause !== undefined;
  }

  /** What a decoder threw, with the place added. Errors other than `damaged` are returned as they are. */
  static at(at: Cursor, error: unknown): unknown {
    if (!(error instanceof TailraceError) || error.code !== "damaged") return error;
    return error instanceof DamagedLogError ? error : new DamagedLogError(at, error.message, error);
  }
}
