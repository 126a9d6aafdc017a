import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { WrongValue } from "./options.ts";
import type { ToolOption } from "./options.ts";

/** What a tool of this project takes, and says of itself. */
export interface Tool<Values> {
  /** What is typed before the options: `npm run sim --`. */
  readonly command: string;
  readonly about: string;
  /** By their names, without the dashes. */
  readonly options: { readonly [Name in keyof Values]: ToolOption<Values[Name]> };
  /** The option that words without a name belong to. */
  readonly words?: keyof Values & string;
}

/** What a command line comes to: what is to be done; or a text and an exit code, with which it is over. */
export type Reading<Values> =
  | { readonly values: Values }
  | { readonly exitCode: 0 | 2; readonly text: string };

const HELP_WIDTH = 120;

/** Where anything is wrong with a line, nothing of it is done. */
export function read<Values>(tool: Tool<Values>, words: readonly string[]): Reading<Values> {
  const { command, about, words: owner } = tool;
  const options = new Map<string, ToolOption<unknown>>(Object.entries(tool.options));
  const owning = options.get(owner ?? "");
  let help = "";
  const program = new Command(command)
    .usage(`[options]${owning === undefined ? "" : ` [${owning.placeholder}…]`}`)
    .description(about)
    .helpOption("--help", "show this text")
    .configureHelp({ sortOptions: false, helpWidth: HELP_WIDTH })
    .configureOutput({ writeOut: (text) => (help += text), outputError: () => undefined })
    .allowExcessArguments()
    .exitOverride();
  for (const [name, option] of options) program.addOption(asOption(name, option));
  try {
    program.parse([...words], { from: "user" });
    const given = program.opts<Record<string, unknown>>();
    const values: Record<string, unknown> = {};
    for (const [name, { initial }] of options) {
      const value = given[keyOf(name)];
      // Commander keeps what such a one denies.
      values[name] = name.startsWith("no-") ? value === false : (value ?? initial);
    }
    for (const word of program.args) {
      if (owning === undefined) throw new WrongValue(`'${word}' belongs to no option.`);
      values[owner!] = owning.read!(word, values[owner!]);
    }
    for (const [name, { missing, initial }] of options)
      if (missing !== undefined && values[name] === initial) throw new WrongValue(`${missing}.`);
    return { values: values as Values };
  } catch (error) {
    if (!(error instanceof CommanderError || error instanceof WrongValue)) throw error;
    if (error instanceof CommanderError && error.exitCode === 0) return { exitCode: 0, text: help };
    const line = error.message.replace(/^error: /, "").replaceAll("\n", " ");
    return { exitCode: 2, text: `${line.replace(/\.?$/, ".")} See ${command} --help\n` };
  }
}

/** The same for the command line of this process, which ends here where there is nothing to do. */
export function readOrExit<Values>(
  tool: Tool<Values>,
  words: readonly string[] = process.argv.slice(2),
): Values {
  const reading = read(tool, words);
  if ("values" in reading) return reading.values;
  (reading.exitCode === 0 ? process.stdout : process.stderr).write(reading.text);
  return process.exit(reading.exitCode);
}

function asOption(name: string, option: ToolOption<unknown>): Option {
  const { placeholder, what, initialText, initial, never = [] } = option;
  const value = placeholder === undefined ? "" : ` <${placeholder}>`;
  const about = initialText === undefined ? what : `${what} (default: ${initialText})`;
  return new Option(`--${name}${value}`, about)
    .conflicts(never.map(keyOf))
    .argParser((text, before = initial) => {
      try {
        return option.read?.(text, before);
      } catch (error) {
        throw error instanceof WrongValue ? new InvalidArgumentError(error.message) : error;
      }
    });
}

/** What commander calls it among the values. */
function keyOf(name: string): string {
  return new Option(`--${name}`).attributeName();
}
