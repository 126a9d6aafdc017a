import { FORMS } from "./amount.ts";
import type { Command } from "../command.ts";
import { describeSettings } from "./configuration.ts";
import type { SettingInfo } from "./configuration.ts";

/*
 * docs/configuration.md, from the schemas that the command line itself goes by. The file is checked in; a test says when it
 * is stale.
 */

const INTRODUCTION = `# Configuration

This page is made from the schemas in \`src/\`: \`UPDATE_GOLDEN=1 npx vitest run src/configuration/configuration-page.test.ts\`.

Everything that a command can be told has three names. A flag goes before a variable, a variable before the file, the
file before the default:

| on the command line | in the environment | in the file of \`--config FILE\` or \`TAILRACE_CONFIG\` |
|---|---|---|
| \`--keep-log-bytes 2GiB\` | \`TAILRACE_KEEP_LOG_BYTES=2GiB\` | \`{ "keep-log-bytes": "2GiB" }\` |

The file holds one JSON object. A key that the command does not know is refused, with the one that was probably meant;
so is every value that cannot be used, and limits that cannot both hold. Nothing is taken from a wrong configuration.

- **Sizes** (\`…-bytes\`) are ${FORMS.bytes}. KiB, MiB, GiB and TiB go by 1024, kB, MB, GB and TB by 1000.
- **Times** (\`…-ms\`) are ${FORMS.ms}.
- **Switches** are on with the flag alone; in a variable they are \`true\` or \`false\`, also 1/0, yes/no, on/off.

\`--print-config\` shows what a node would run with, and where each value is from, without users and passwords within URLs;
then it ends, and has touched nothing.

In the library (\`openPrimary\`, \`openReplica\`) the same options have the names without dashes (\`keepLogBytes\`) and are
numbers: bytes and milliseconds. \`configure({ … })\` of an open node is what SIGHUP is of a process.

## Changing a running node

SIGHUP makes \`tailrace primary\` and \`tailrace replica\` read their file again; flags and variables still go before it.
Settings marked *SIGHUP* below are taken over, all or none, and told as \`configuration_reloaded\` with the value before
and after. What needs a restart is named in a warning, and waits for it. An invalid file is refused whole, with the
reason and the way out in the log, and the node goes on as it was. (A node that was started in a terminal still ends
when that terminal is closed.)

## Stopping a node

SIGTERM or SIGINT: the node is unready at once, accepts nothing new, brings what is committed into its log, checkpoints,
and ends with exit code 0. A second signal ends it at once, by that signal; so does the end of \`--deadline-ms\`, by SIGKILL.
Nothing that was acknowledged is lost either way: what was left undone is made up for at the next start.

## The log

Nodes tell on stderr what happens. \`--log-format text\` writes sentences, with what to do below what is wrong. \`json\` writes
one object a line: \`level\`, \`time\` (Unix ms), \`name\` (stable: match on this), \`fields\` (raw numbers, units in the names),
\`msg\` (the sentence); neither process id nor host, which whatever collects the lines knows. Trouble that repeats, or comes
and goes, within a minute is summed up with its number (\`repeats\`); that a replica will be lost, and is, is told each time.
No line holds a value of the database, the content of a page, a credential or a token. With \`--json\`, programs find the same
as events on stdout; in the library, as the event \`notice\`.
`;

/** The page, as it has to stand in docs/configuration.md. */
export function configurationPage(commands: readonly Command[]): string {
  return [INTRODUCTION, ...commands.map((command) => section(command))].join("\n");
}

function section({ name, summary, operands, settings }: Command): string {
  const infos = describeSettings(settings);
  const words = [`tailrace ${name}`, ...operands.map((operand) => operand.name)].join(" ");
  const isNode = infos.some(({ isReloadable }) => isReloadable);
  const title = `## ${words}\n\n${summary[0]?.toUpperCase()}${summary.slice(1)}.\n`;
  if (infos.length === 0) return `${title}\nNothing can be set.\n`;
  const columns = ["flag", "default", ...(isNode ? ["taken over"] : []), "what it is"];
  const rows = infos.map((info) => [
    usage(info),
    info.defaultText === undefined ? "" : `\`${info.defaultText}\``,
    ...(isNode ? [info.isReloadable ? "SIGHUP" : "restart"] : []),
    meaning(info),
  ]);
  const lines = [columns, columns.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  return `${title}\n${lines.join("\n")}\n`;
}

function usage({ flag, placeholder, bare }: SettingInfo): string {
  if (placeholder === undefined) return `\`--${flag}\``;
  return `\`--${flag} ${bare === undefined ? placeholder : `[${placeholder}]`}\``;
}

function meaning({ description, choices }: SettingInfo): string {
  const allowed = choices === undefined ? "" : ` (${choices.map((choice) => `\`${choice}\``).join(", ")})`;
  return `${description}${allowed}`.replaceAll("|", String.raw`\|`);
}
