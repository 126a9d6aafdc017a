import { Command as CommanderCommand, CommanderError, Option } from "commander";
import { TailraceError, asTailraceError } from "../shared/errors.ts";
import type { Command } from "./command.ts";
import { describeSettings, readConfiguration } from "./configuration/configuration.ts";
import type { Configuration, SettingInfo } from "./configuration/configuration.ts";
import { EXIT_DONE, EXIT_WRONG_USAGE, exitCodeOf } from "./exit-code.ts";
import { createOutput } from "./output.ts";
import type { Streams } from "./output.ts";
import { configurationDocument, configurationText } from "./configuration/print-config.ts";
import { listenForStop } from "./signals.ts";
import { packageVersion } from "./version.ts";

export interface CommandLineOptions {
  readonly commands: readonly Command[];
  /** Without the program and the script. */
  readonly words: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** Where to write; default: the process's own streams. */
  readonly streams?: Streams;
}

/** Runs one command line. @returns the exit code */
export async function runCommandLine({
  commands,
  words,
  environment,
  streams = process,
}: CommandLineOptions): Promise<number> {
  const { stdout, stderr } = streams;
  let exitCode = EXIT_DONE;
  const program = new CommanderCommand("tailrace")
    .description("Live read replicas for ordinary SQLite files, over plain HTTP.")
    .version(packageVersion(), "--version")
    .helpOption("--help", "show this text")
    .helpCommand(false)
    .configureHelp({ sortOptions: false, helpWidth: 110 })
    .addHelpText("after", "\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 works, but not as it should.")
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      outputError: () => undefined,
    })
    .exitOverride();
  for (const command of commands) {
    addCommand(program, command, words.includes(command.name), async (operands, flags) => {
      exitCode = await runCommand(command, operands, flags, environment, streams);
    });
  }
  try {
    await program.parseAsync(withBareValues(words, commands), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Asking for help or the version is no error. Without any command, help has been shown, and is one.
    exitCode = error.exitCode === 0 ? EXIT_DONE : EXIT_WRONG_USAGE;
    if (!error.code.startsWith("commander.help") && exitCode !== EXIT_DONE) {
      createOutput({ json: words.includes("--json"), environment, stdout, stderr }).error(
        wrongUsage(
          error,
          commands.find(({ name }) => name === words[0]),
        ),
      );
    }
  }
  return exitCode;
}

/** A value that may be left out is never taken from the word that stands next: `--watch URL`. */
function withBareValues(words: readonly string[], commands: readonly Command[]): readonly string[] {
  const command = commands.find(({ name }) => name === words[0]);
  const infos = command === undefined ? [] : describeSettings(command.settings);
  const bare = new Map(infos.map((info) => [`--${info.flag}`, info.bare]));
  return words.map((word, index) => {
    const value = bare.get(word);
    return value === undefined || /^[\d.]/.test(words[index + 1] ?? "") ? word : `${word}=${value}`;
  });
}

function wrongUsage({ message }: CommanderError, command: Command | undefined): TailraceError {
  const [what = "", suggestion] = message.replace(/^error: /, "").split("\n");
  const hint =
    suggestion === undefined
      ? `See tailrace ${command === undefined ? "" : `${command.name} `}--help.`
      : suggestion.replaceAll(/^\(|\)$/g, "");
  return new TailraceError("invalid_configuration", what, { hint });
}

async function runCommand(
  command: Command,
  operands: readonly string[],
  flags: Readonly<Record<string, unknown>>,
  environment: NodeJS.ProcessEnv,
  { stdout, stderr }: Streams,
): Promise<number> {
  let output = createOutput({ json: flags["json"] === true, environment, stdout, stderr });
  try {
    const readAgain = (): Configuration<object> =>
      readConfiguration(command.settings, { flags, environment });
    const configuration = readAgain();
    const { settings } = configuration;
    const isJson = "json" in settings && settings.json === true;
    output = createOutput({ json: isJson, environment, stdout, stderr });
    if ("printConfig" in settings && settings.printConfig === true) {
      const printed = { ...command, given: operands };
      output.data(configurationDocument(printed, configuration), configurationText(printed, configuration));
      return EXIT_DONE;
    }
    return await command.run({
      operands,
      settings,
      configuration,
      readAgain,
      output,
      stderr: stderr === process.stderr ? undefined : stderr,
      listenForStop: (deadlineMs, say = (text) => output.message(text)) =>
        listenForStop({
          deadlineMs: typeof deadlineMs === "number" ? () => deadlineMs : deadlineMs,
          say,
        }),
    });
  } catch (error) {
    output.error(error);
    return exitCodeOf(asTailraceError(error).code);
  }
}

/** @param isNamed whether it may be the one that is run: to tell a command's flags takes longer than to parse them */
function addCommand(
  program: CommanderCommand,
  { name, summary, operands, settings, exitCodes }: Command,
  isNamed: boolean,
  action: (operands: string[], flags: Record<string, unknown>) => Promise<void>,
): void {
  const command = program.command(name).description(summary);
  for (const { name: operandName, description } of operands)
    command.argument(`<${operandName}>`, description);
  if (isNamed) for (const info of describeSettings(settings)) command.addOption(toOption(info));
  command.addOption(
    new Option("--config <FILE>", "JSON file with any of these flags as keys [TAILRACE_CONFIG]"),
  );
  if (exitCodes !== undefined) command.addHelpText("after", `\n${exitCodesText(exitCodes)}`);
  command.action((...received: unknown[]) =>
    action(
      received.slice(0, operands.length) as string[],
      received[operands.length] as Record<string, unknown>,
    ),
  );
}

function exitCodesText(codes: Readonly<Record<number, string>>): string {
  const lines = Object.entries(codes).map(([code, meaning]) => `  ${code}  ${meaning}`);
  return ["Exit codes:", ...lines].join("\n");
}

/** Commander checks nothing and knows no default, so that a given flag can be told from one that was left out. */
function toOption(info: SettingInfo): Option {
  const { flag, variable, placeholder, description, choices, bare, defaultText } = info;
  const name = bare === undefined ? `<${placeholder}>` : `[${placeholder}]`;
  const value = placeholder === undefined ? "" : ` ${name}`;
  const facts = [
    ...(choices === undefined ? [] : [choices.join(" | ")]),
    ...(defaultText === undefined ? [] : [`default: ${defaultText}`]),
  ];
  const inBrackets = facts.length === 0 ? "" : ` (${facts.join("; ")})`;
  return new Option(`--${flag}${value}`, `${description}${inBrackets} [${variable}]`);
}
