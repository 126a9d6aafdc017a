import { valueText } from "./configuration.ts";
import type { Configuration } from "./configuration.ts";
import type { Operand } from "../command.ts";
import { withoutCredentials } from "../log/redact.ts";

/** The effective configuration as `--print-config` shows it, without secrets. */
export interface ConfigurationDocument {
  readonly command: string;
  /** By name, as on the command line. */
  readonly operands: Readonly<Record<string, string>>;
  readonly config: string | null;
  /** By flag, without dashes. Sizes in bytes, times in ms. */
  readonly settings: Readonly<
    Record<string, { readonly value: unknown; readonly origin: string; readonly from: string }>
  >;
}

export interface PrintedCommand {
  readonly name: string;
  readonly operands: readonly Operand[];
  /** By position. */
  readonly given: readonly string[];
}

export function configurationDocument(
  { name, operands, given }: PrintedCommand,
  { entries, file }: Configuration<unknown>,
): ConfigurationDocument {
  return {
    command: name,
    operands: Object.fromEntries(
      operands.map((operand, index) => [operand.name, withoutCredentials(given[index] ?? "")]),
    ),
    config: file ?? null,
    settings: Object.fromEntries(
      entries
        // Whoever reads it has just given it.
        .filter(({ info }) => info.key !== "printConfig")
        .map(({ info, value, origin }) => [
          info.flag,
          {
            value: typeof value === "string" ? withoutCredentials(value) : (value ?? null),
            origin: origin.kind,
            from: origin.name,
          },
        ]),
    ),
  };
}

/** One line a setting: name, value, where it is from. */
export function configurationText(command: PrintedCommand, configuration: Configuration<unknown>): string {
  const { operands, settings } = configurationDocument(command, configuration);
  const rows: (readonly [string, string, string])[] = [
    ...Object.entries(operands).map(([name, value]) => [name, value, "argument"] as const),
    ...configuration.entries
      .filter(({ info }) => info.flag in settings)
      .map(
        ({ info, value, origin }) =>
          [info.flag, withoutCredentials(valueText(info, value)), origin.name] as const,
      ),
  ];
  const widthOf = (column: 0 | 1): number => Math.max(...rows.map((row) => row[column].length));
  const [nameWidth, valueWidth] = [widthOf(0), widthOf(1)];
  return rows
    .map(([name, value, from]) => `${name.padEnd(nameWidth)}  ${value.padEnd(valueWidth)}  ${from}`)
    .join("\n");
}
