import type { z } from "zod";
import type { Output } from "./output.ts";
import type { StopRequest } from "./signals.ts";

export interface Operand {
  readonly name: string;
  readonly description: string;
}

/** One `tailrace` command: what it takes, and what it does. */
export interface Command<Settings = object> {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Positional arguments, all required. */
  readonly operands: readonly Operand[];
  readonly settings: z.ZodType<Settings>;
  /** Ends with the exit code; what it throws is printed, and gives the code by its kind. */
  run(call: Call<Settings>): Promise<number>;
}

export interface Call<Settings> {
  readonly operands: readonly string[];
  readonly settings: Settings;
  readonly output: Output;
  /** Starts listening for SIGTERM and SIGINT; without it they end the process as usual. */
  readonly listenForStop: (deadlineMs: number) => StopRequest;
}

/** The operands by position. Commander has made sure that they are there. */
export function operand(call: Call<unknown>, index: number): string {
  return call.operands[index] ?? "";
}
