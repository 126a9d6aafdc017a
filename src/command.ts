import type { z } from "zod";
import type { Configuration } from "./configuration/configuration.ts";
import type { Output, Stream } from "./output.ts";
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
  /** What its exit codes mean, by code, where they say more than those of every command. */
  readonly exitCodes?: Readonly<Record<number, string>>;
  /** Ends with the exit code; what it throws is printed, and gives the code by its kind. */
  run(call: Call<Settings>): Promise<number>;
}

export interface Call<Settings> {
  readonly operands: readonly string[];
  readonly settings: Settings;
  readonly configuration: Configuration<Settings>;
  /** The same flags and variables over what the file holds now. @throws invalid_configuration */
  readonly readAgain: () => Configuration<Settings>;
  readonly output: Output;
  /** Where it is not the process's own. */
  readonly stderr: Stream | undefined;
  /**
   * Starts listening for SIGTERM and SIGINT; without it they end the process as usual.
   *
   * @param say told before the process is ended by force; default: a message
   */
  readonly listenForStop: (deadlineMs: number | (() => number), say?: (text: string) => void) => StopRequest;
}

/** The operands by position. Commander has made sure that they are there. */
export function operand(call: Call<unknown>, index: number): string {
  return call.operands[index] ?? "";
}
