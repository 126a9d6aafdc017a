import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import { TailraceError } from "../../../shared/errors.ts";
import { describeSettings, readConfiguration, valueText } from "../../../src/configuration/configuration.ts";
import { judgeSettings } from "../../../src/configuration/ask-settings.ts";
import { demoSettings, repairSettings } from "../../../src/configuration/local-settings.ts";
import { primarySettings, replicaSettings } from "../../../src/configuration/node-settings.ts";
import type { Chance } from "../../harness/seed.ts";
import { buildDocumentText, proposeDocument } from "../engine/json-steps.ts";
import { oneOf } from "../engine/numbers.ts";
import { must } from "../engine/target.ts";
import type { Outcome, Step, Target } from "../engine/target.ts";

const SCHEMAS: Readonly<Record<string, z.ZodType<object>>> = {
  primary: primarySettings,
  replica: replicaSettings,
  status: judgeSettings,
  repair: repairSettings,
  demo: demoSettings,
};
const TEXTS = [
  "",
  " ",
  "0",
  "-0",
  "1",
  "-1",
  "65535",
  "65536",
  "1e3",
  "0x10",
  "1.5",
  ".5",
  "+7",
  "NaN",
  "Infinity",
  "1_000",
  "9007199254740991",
  "9007199254740992",
  "99999999999999999999",
  "1GiB",
  "0.1KiB",
  "1e300GiB",
  "10 MiB",
  "24h",
  "1ms",
  "none",
  "NONE",
  "true",
  "yes",
  "off",
  "commit",
  "group",
  "os",
  "stop",
  "resync",
  "debug",
  "127.0.0.1",
  "\u0000",
  "\n",
  "\u001b[2J",
  "٣",
  "x".repeat(100),
  "better-sqlite3",
  "__proto__",
  "1d",
  "1w",
  "-5s",
  "1e-9s",
];

/** Flags, variables and a configuration file, all at once. */
export const configurationTarget: Target = {
  name: "configuration",
  shortRun: 60,
  maxMs: 1_000,
  open: (folder) => ({ propose, run: (steps) => run(join(folder, "tailrace.json"), steps) }),
};

function propose(chance: Chance): readonly Step[] {
  const command = oneOf(chance, Object.keys(SCHEMAS));
  const infos = describeSettings(SCHEMAS[command]!);
  const given = (): Step => {
    const info = oneOf(chance, infos);
    const op = oneOf(chance, ["flag", "variable"]);
    const value = oneOf(chance, [...TEXTS, ...(info.choices ?? []), info.defaultText ?? ""]);
    return { op, name: op === "flag" ? info.key : info.variable, value };
  };
  const file = Object.fromEntries(
    Array.from({ length: chance.integer(0, 4) }, () => [oneOf(chance, infos).flag, oneOf(chance, TEXTS)]),
  );
  return [
    { op: "command", command },
    ...Array.from({ length: chance.integer(0, 3) }, given),
    ...(chance.next() < 0.5 ? [] : proposeDocument([file, { port: 4800, "max-lag-seconds": 7 }], chance)),
  ];
}

function run(path: string, steps: readonly Step[]): Outcome {
  const command = steps.find(({ op }) => op === "command")?.["command"] as string | undefined;
  const schema = SCHEMAS[command ?? "primary"]!;
  const of = (wanted: string): Record<string, string> =>
    Object.fromEntries(steps.filter(({ op }) => op === wanted).map(({ name, value }) => [name, value]));
  const hasFile = steps.some(({ op }) => op === "document");
  if (hasFile) writeFileSync(path, buildDocumentText(steps));
  const flags = { ...of("flag"), ...(hasFile ? { config: path } : {}) };
  let read: ReturnType<typeof readConfiguration<object>>;
  try {
    read = readConfiguration(schema, { flags, environment: of("variable") });
  } catch (error) {
    must(
      !(error instanceof TailraceError) || error.code === "invalid_configuration",
      "refused by another code",
    );
    throw error;
  }
  // What is in force can be given as it is printed, and is in force then.
  const printed = Object.fromEntries(
    read.entries
      .filter(({ value }) => value !== undefined)
      .map(({ info, value }) => [
        info.key,
        typeof value === "boolean" ? String(value) : valueText(info, value),
      ]),
  );
  const again = readConfiguration(schema, { flags: printed, environment: {} });
  for (const [index, { value, info }] of read.entries.entries())
    must(
      again.entries[index]!.value === value,
      `${info.flag} is ${String(value)}, and given as printed ${String(again.entries[index]!.value)}`,
    );
  return "accepted";
}
