import { readFileSync } from "node:fs";
import { z } from "zod";
import { TailraceError } from "../shared/errors.ts";

/*
 * One schema a command. From it come the flags, the TAILRACE_* variables, the keys of --config FILE, and --help:
 *
 *   schema key   flag          variable            key in FILE
 *   dataDir      --data-dir    TAILRACE_DATA_DIR   "data-dir"
 *
 * A flag goes before a variable, a variable before the file, the file before the default.
 */

/** Where a value came from, as the user knows it: `--port`, `TAILRACE_PORT`, `"port" in tailrace.json`. */
type Origin = string;

export interface SettingInfo {
  /** Key in the schema. */
  readonly key: string;
  /** Without dashes in front; also the key in a configuration file. */
  readonly flag: string;
  readonly variable: string;
  readonly type: "string" | "number" | "boolean";
  readonly placeholder: string | undefined;
  readonly description: string;
  readonly choices: readonly string[] | undefined;
  readonly defaultText: string | undefined;
}

/** Everything that `--help` says of a schema's settings. */
export function describeSettings(schema: z.ZodType): readonly SettingInfo[] {
  const { properties = {} } = z.toJSONSchema(schema, { io: "input" });
  return Object.entries(properties).map(([key, property]) => {
    const {
      type,
      description = "",
      default: fallback,
      enum: choices,
      placeholder: name,
    } = property as {
      type?: string;
      description?: string;
      default?: unknown;
      enum?: string[];
      placeholder?: string;
    };
    const flag = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return {
      key,
      flag,
      variable: `TAILRACE_${flag.replaceAll("-", "_").toUpperCase()}`,
      type: type === "boolean" ? "boolean" : type === "integer" || type === "number" ? "number" : "string",
      placeholder: name,
      description,
      choices,
      defaultText:
        fallback === undefined || fallback === false
          ? undefined
          : JSON.stringify(fallback).replaceAll('"', ""),
    };
  });
}

/**
 * The settings of one call, from its flags, the environment and a configuration file.
 *
 * @param flags what was given on the command line, by schema key; `config` names the file
 * @throws invalid_configuration naming the key, the value and the way out; nothing is taken from a wrong configuration
 */
export function readSettings<Settings>(
  schema: z.ZodType<Settings>,
  flags: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>>,
): Settings {
  const infos = describeSettings(schema);
  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  const take = (info: SettingInfo, value: unknown, origin: Origin): void => {
    values[info.key] = value;
    origins[info.key] = origin;
  };

  const file = flags["config"] ?? environment["TAILRACE_CONFIG"];
  if (typeof file === "string" && file !== "") {
    for (const [key, value] of Object.entries(readConfigurationFile(file))) {
      const info = infos.find(({ flag }) => flag === key);
      if (info === undefined) {
        throw new TailraceError("invalid_configuration", `unknown key ${JSON.stringify(key)} in ${file}`, {
          hint: `This command knows: ${infos.map(({ flag }) => flag).join(", ")}.`,
        });
      }
      take(info, value, `${JSON.stringify(key)} in ${file}`);
    }
  }
  for (const info of infos) {
    const text = environment[info.variable];
    if (text !== undefined && text !== "") take(info, fromText(info, text), info.variable);
  }
  for (const info of infos) {
    const given = flags[info.key];
    if (given !== undefined) take(info, fromText(info, given), `--${info.flag}`);
  }

  const result = schema.safeParse(values);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const key = String(issue?.path[0]);
  const info = infos.find((candidate) => candidate.key === key);
  throw new TailraceError(
    "invalid_configuration",
    `${origins[key] ?? key} is ${JSON.stringify(values[key])}: ${issue?.message ?? "not usable"}`,
    { hint: info === undefined ? "See --help." : wayOut(info) },
  );
}

function readConfigurationFile(file: string): object {
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new TailraceError("invalid_configuration", `--config ${file} cannot be read: ${String(cause)}`, {
      cause,
      hint: 'The file holds one JSON object whose keys are flags without dashes in front: { "port": 4800 }.',
    });
  }
  if (typeof document === "object" && document !== null && !Array.isArray(document)) return document;
  throw new TailraceError("invalid_configuration", `--config ${file} does not hold a JSON object`, {
    hint: 'Its keys are flags without dashes in front: { "port": 4800 }.',
  });
}

/** Text from a flag or variable as the type that the schema wants; text that is none stays text, for the schema to refuse. */
function fromText({ type }: SettingInfo, value: unknown): unknown {
  if (typeof value !== "string") return value;
  if (type === "number" && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value)) return Number(value);
  if (type === "boolean" && /^(1|true|yes|on)$/i.test(value)) return true;
  if (type === "boolean" && /^(0|false|no|off)$/i.test(value)) return false;
  return value;
}

function wayOut({ flag, placeholder: name, choices, description, type, defaultText }: SettingInfo): string {
  const usage = type === "boolean" ? `--${flag}` : `--${flag} ${name ?? "VALUE"}`;
  const allowed = choices === undefined ? "" : ` One of: ${choices.join(", ")}.`;
  return `${usage}: ${description}.${allowed}${defaultText === undefined ? "" : ` Default: ${defaultText}.`}`;
}
