import { readFileSync } from "node:fs";
import { z } from "zod";
import { TailraceError } from "../../shared/errors.ts";
import { causeText } from "../../shared/storage/storage-error.ts";
import { FORMS, formatAmount } from "./amount.ts";
import { nearest } from "./nearest.ts";
import type { LimitConflict } from "./node-limits.ts";
import { inPlainWords } from "./setting-types.ts";
import type { SettingMeta } from "./setting-types.ts";

/*
 * One schema a command: node-settings.ts, ask-settings.ts, local-settings.ts. From it come the flags, the TAILRACE_*
 * variables, the keys of --config FILE, and --help:
 *
 *   schema key   flag          variable            key in FILE
 *   dataDir      --data-dir    TAILRACE_DATA_DIR   "data-dir"
 *
 * A flag goes before a variable, a variable before the file, the file before the default.
 */

/** Where a value came from. */
export interface Origin {
  readonly kind: "default" | "file" | "variable" | "flag";
  /** As the user knows it: `--port`, `TAILRACE_PORT`, `"port" in tailrace.json`, `default`. */
  readonly name: string;
}

export interface SettingInfo extends SettingMeta {
  /** Key in the schema. */
  readonly key: string;
  /** Without dashes in front; also the key in a configuration file. */
  readonly flag: string;
  readonly variable: string;
  readonly type: "string" | "number" | "boolean";
  readonly choices: readonly string[] | undefined;
  readonly defaultText: string | undefined;
}

/** One setting as it is in force. */
export interface ConfigurationEntry {
  readonly info: SettingInfo;
  /** Undefined where there is none. */
  readonly value: unknown;
  readonly origin: Origin;
}

/** The settings of one call, and how they came about. */
export interface Configuration<Settings> {
  readonly settings: Settings;
  /** In the schema's order. */
  readonly entries: readonly ConfigurationEntry[];
  /** Of --config or TAILRACE_CONFIG. */
  readonly file: string | undefined;
}

/** What was given outside of the file; it does not change while a process runs. */
export interface Given {
  /** Of the command line, by schema key; `config` names the file. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Everything that `--help` says of a schema's settings. */
export function describeSettings(schema: z.ZodType): readonly SettingInfo[] {
  const { properties = {} } = z.toJSONSchema(schema, { io: "input" });
  return Object.entries(properties).map(([key, property]) => {
    const {
      type,
      default: fallback,
      enum: choices,
      description = "",
      placeholder,
      unit,
      none,
      preset = fallback,
      bare,
      isReloadable = false,
    } = property as Omit<Partial<SettingMeta>, "preset"> & {
      preset?: unknown;
      type?: string | string[];
      default?: unknown;
      enum?: string[];
    };
    const flag = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const facts: SettingMeta = {
      description,
      isReloadable,
      ...(placeholder === undefined ? {} : { placeholder }),
      ...(unit === undefined ? {} : { unit }),
      ...(none === undefined ? {} : { none }),
      ...(bare === undefined ? {} : { bare }),
    };
    return {
      ...facts,
      key,
      flag,
      variable: `TAILRACE_${flag.replaceAll("-", "_").toUpperCase()}`,
      type: type === "boolean" ? "boolean" : type === "integer" || type === "number" ? "number" : "string",
      choices,
      defaultText: preset === undefined || preset === false ? undefined : valueText(facts, preset),
    };
  });
}

/** A value as it could be given: `10GiB`, `24h`, `none`, `commit`; `–` where there is none. */
export function valueText({ unit, none }: Pick<SettingMeta, "unit" | "none">, value: unknown): string {
  if (value === undefined) return "–";
  if (value === 0 && none !== undefined) return none;
  if (unit !== undefined && typeof value === "number") return formatAmount(value, unit);
  return typeof value === "string" ? value : JSON.stringify(value);
}

/**
 * The settings of one call, from its flags, the environment and a configuration file.
 *
 * @throws invalid_configuration naming the key, the value and the way out; nothing is taken from a wrong configuration
 */
export function readConfiguration<Settings>(
  schema: z.ZodType<Settings>,
  { flags, environment }: Given,
): Configuration<Settings> {
  const infos = describeSettings(schema);
  const given = new Map<string, { readonly value: unknown; readonly origin: Origin }>();

  const file = flags["config"] ?? environment["TAILRACE_CONFIG"];
  const hasFile = typeof file === "string" && file !== "";
  if (hasFile) {
    const givenBy = flags["config"] === undefined ? `TAILRACE_CONFIG=${file}` : `--config ${file}`;
    for (const [key, value] of Object.entries(readConfigurationFile(file, givenBy))) {
      const info = infos.find(({ flag }) => flag === key);
      if (info === undefined) throw unknownKey(key, file, infos);
      given.set(info.key, { value, origin: { kind: "file", name: `${JSON.stringify(key)} in ${file}` } });
    }
  }
  for (const info of infos) {
    const text = environment[info.variable];
    if (text !== undefined && text !== "")
      given.set(info.key, { value: fromText(info, text), origin: { kind: "variable", name: info.variable } });
  }
  for (const info of infos) {
    const value = flags[info.key];
    if (value !== undefined)
      given.set(info.key, { value: fromText(info, value), origin: { kind: "flag", name: `--${info.flag}` } });
  }

  const values = Object.fromEntries([...given].map(([key, { value }]) => [key, value]));
  const result = schema.safeParse(values, { error: inPlainWords });
  const originOf = (key: string): Origin => given.get(key)?.origin ?? { kind: "default", name: "default" };
  if (result.success) {
    const read = result.data as Readonly<Record<string, unknown>>;
    return {
      settings: result.data,
      entries: infos.map((info) => ({ info, value: read[info.key], origin: originOf(info.key) })),
      file: hasFile ? file : undefined,
    };
  }
  const [issue] = result.error.issues;
  const key = String(issue?.path[0]);
  const info = infos.find((candidate) => candidate.key === key);
  const { conflict } = (issue?.code === "custom" ? (issue.params ?? {}) : {}) as { conflict?: LimitConflict };
  if (conflict !== undefined) throw conflictError(conflict, infos, given);
  throw new TailraceError(
    "invalid_configuration",
    `${given.get(key)?.origin.name ?? key} is ${JSON.stringify(given.get(key)?.value)}: ${issue?.message ?? "not usable"}`,
    { hint: info === undefined ? "See --help." : wayOut(info) },
  );
}

function unknownKey(key: string, file: string, infos: readonly SettingInfo[]): TailraceError {
  const flags = infos.map(({ flag }) => flag);
  // The library's names are the keys of the schema.
  const near = infos.find((info) => info.key === key)?.flag ?? nearest(key, flags);
  const suggestion = near === undefined ? "" : `Did you mean ${JSON.stringify(near)}? `;
  return new TailraceError("invalid_configuration", `unknown key ${JSON.stringify(key)} in ${file}`, {
    hint: `${suggestion}This command knows: ${flags.join(", ")}.`,
  });
}

function conflictError(
  { key, other, relation, wayOut: way }: LimitConflict,
  infos: readonly SettingInfo[],
  given: ReadonlyMap<string, { readonly value: unknown; readonly origin: Origin }>,
): TailraceError {
  const infoOf = (name: string): SettingInfo | undefined => infos.find((info) => info.key === name);
  const nameOf = (name: string): string => given.get(name)?.origin.name ?? infoOf(name)?.flag ?? name;
  const valueOf = (name: string): string => {
    const found = given.get(name);
    if (found === undefined) return `${infoOf(name)?.defaultText ?? "–"} by default`;
    return typeof found.value === "string" ? found.value : valueText(infoOf(name) ?? {}, found.value);
  };
  const flagOf = (name: string): string => `--${infoOf(name)?.flag ?? name}`;
  return new TailraceError(
    "invalid_configuration",
    `${nameOf(key)} is ${valueOf(key)}: ${relation} ${nameOf(other)}, which is ${valueOf(other)}`,
    { hint: way(flagOf) },
  );
}

/** @param givenBy as the user has named it */
function readConfigurationFile(file: string, givenBy: string): object {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new TailraceError("invalid_configuration", `${givenBy} cannot be read: ${causeText(cause)}`, {
      hint: "Give the path of a file that is there and that this user may read.",
    });
  }
  const hint =
    'The file holds one JSON object whose keys are flags without dashes in front: { "port": 4800 }.';
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    // What JSON.parse says quotes the file, which may hold secrets.
    const [place] = /\(line \d+ column \d+\)/.exec(String(cause)) ?? [""];
    const what = `${givenBy} cannot be read: not JSON ${place}`.trimEnd();
    throw new TailraceError("invalid_configuration", what, { hint });
  }
  if (typeof document === "object" && document !== null && !Array.isArray(document)) return document;
  throw new TailraceError("invalid_configuration", `${givenBy} does not hold a JSON object`, { hint });
}

/** Text from a flag or variable as the type that the schema wants; text that is none stays text, for the schema to refuse. */
function fromText({ type }: SettingInfo, value: unknown): unknown {
  if (typeof value !== "string") return value;
  if (type === "number" && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value)) return Number(value);
  if (type === "boolean" && /^(1|true|yes|on)$/i.test(value)) return true;
  if (type === "boolean" && /^(0|false|no|off)$/i.test(value)) return false;
  return value;
}

function wayOut(info: SettingInfo): string {
  const { flag, placeholder = "VALUE", choices, description, type, unit, bare, defaultText } = info;
  const usage =
    type === "boolean" ? `--${flag}` : `--${flag} ${bare === undefined ? placeholder : `[${placeholder}]`}`;
  const allowed = choices === undefined ? "" : ` One of: ${choices.join(", ")}.`;
  const form = unit === undefined ? "" : ` Give ${FORMS[unit]}.`;
  return `${usage}: ${description}.${allowed}${form}${defaultText === undefined ? "" : ` Default: ${defaultText}.`}`;
}
