import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { z } from "zod";
import { TailraceError } from "../../shared/errors.ts";
import { commands } from "../commands.ts";
import { describeSettings, readConfiguration } from "./configuration.ts";
import type { Given } from "./configuration.ts";
import { primarySettings, replicaSettings } from "./node-settings.ts";
import { demoSettings } from "./local-settings.ts";

function readSettings<Settings>(
  schema: z.ZodType<Settings>,
  flags: Given["flags"],
  environment: Given["environment"],
): Settings {
  return readConfiguration(schema, { flags, environment }).settings;
}

const folder = mkdtempSync(join(tmpdir(), "tailrace-configuration-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function configFile(content: string): string {
  const file = join(folder, "tailrace.json");
  writeFileSync(file, content);
  return file;
}

function refusal(read: () => unknown): TailraceError {
  try {
    read();
  } catch (error) {
    if (error instanceof TailraceError) return error;
  }
  throw new Error("not refused");
}

describe("where a value comes from", () => {
  test("nothing given: the defaults of the contract", () => {
    expect(readSettings(primarySettings, {}, {})).toMatchObject({
      host: "127.0.0.1",
      port: 4800,
      durability: "commit",
      insecure: false,
      json: false,
    });
    expect(readSettings(replicaSettings, {}, {})).toMatchObject({ port: 4801, onForeignWrite: "stop" });
    expect(readSettings(demoSettings, {}, {})).toMatchObject({ replicas: 2, rate: 200 });
  });

  test("a flag goes before a variable, a variable before the file, the file before the default", () => {
    const config = configFile('{ "port": 1, "host": "::1", "durability": "os" }');
    const environment = { TAILRACE_CONFIG: config, TAILRACE_PORT: "2", TAILRACE_HOST: "127.0.0.2" };
    expect(readSettings(primarySettings, { port: "3" }, environment)).toMatchObject({
      port: 3,
      host: "127.0.0.2",
      durability: "os",
    });
  });

  test("every flag of every command has its variable and its key", () => {
    for (const { settings } of commands) {
      for (const { flag, variable, description, type, placeholder } of describeSettings(settings)) {
        expect(flag).toMatch(/^[a-z]+(-[a-z]+)*$/);
        expect(variable).toBe(`TAILRACE_${flag.toUpperCase().replaceAll("-", "_")}`);
        expect(description).not.toBe("");
        expect(placeholder === undefined).toBe(type === "boolean");
      }
    }
  });

  test("switches are understood from variables", () => {
    expect(readSettings(primarySettings, {}, { TAILRACE_INSECURE: "yes" }).insecure).toBe(true);
    expect(readSettings(primarySettings, {}, { TAILRACE_INSECURE: "0" }).insecure).toBe(false);
    expect(readSettings(primarySettings, {}, { TAILRACE_INSECURE: "" }).insecure).toBe(false);
  });
});

describe("a wrong configuration is refused whole, with the key, the value and the way out", () => {
  test.each([
    [{ port: "70000" }, {}, "--port is 70000: more than 65535"],
    [{ port: "" }, {}, '--port is "": not a number'],
    [{ port: "0x10" }, {}, '--port is "0x10": not a number'],
    [{}, { TAILRACE_PORT: "tcp://10.0.0.1:80" }, 'TAILRACE_PORT is "tcp://10.0.0.1:80": not a number'],
    [{ durability: "fsync" }, {}, '--durability is "fsync": none of commit, group, os'],
    [{}, { TAILRACE_INSECURE: "perhaps" }, 'TAILRACE_INSECURE is "perhaps": neither true nor false'],
  ])("%j %j", (flags, environment, message) => {
    const error = refusal(() => readSettings(primarySettings, flags, environment));
    expect(error.code).toBe("invalid_configuration");
    expect(error.message).toBe(message);
    expect(error.hint).toMatch(/^--(port|durability|insecure)/);
  });

  test("the hint says what is allowed and what is the default", () => {
    const { hint } = refusal(() => readSettings(primarySettings, { durability: "fsync" }, {}));
    expect(hint).toBe(
      "--durability MODE: when log bytes are forced to disk: each commit, all that wait at once, or never. " +
        "One of: commit, group, os. Default: commit.",
    );
  });

  test("a key that the command does not know", () => {
    const config = configFile('{ "prot": 4800 }');
    const error = refusal(() => readSettings(primarySettings, { config }, {}));
    expect(error.message).toBe(`unknown key "prot" in ${config}`);
    expect(error.hint).toMatch(
      /^Did you mean "port"\? This command knows: host, insecure, port, data-dir, driver/,
    );
  });

  test.each([
    ["keepLogBytes", "keep-log-bytes"],
    ["keep_log_byte", "keep-log-bytes"],
    ["max-log-size", undefined],
    ["dataDir", "data-dir"],
    ["snapshot-keep", undefined],
  ])("%s is near to %s", (key, near) => {
    const config = configFile(JSON.stringify({ [key]: 1 }));
    const hint = refusal(() => readSettings(primarySettings, { config }, {})).hint ?? "";
    expect(/Did you mean "(.*)"\?/.exec(hint)?.[1]).toBe(near);
  });

  test.each(["not json", "[1]", "null", '"text"'])("a file that holds %s", (content) => {
    const config = configFile(content);
    expect(refusal(() => readSettings(primarySettings, { config }, {})).message).toContain(
      `--config ${config}`,
    );
  });

  test("a file that is not JSON is not quoted: it may hold secrets", () => {
    const config = configFile('{\n  "token": hunter2 }');
    const { message, cause } = refusal(() => readSettings(primarySettings, { config }, {}));
    expect(message).toMatch(/cannot be read: not JSON/);
    expect(`${message}${String(cause)}`).not.toContain("hunter2");
  });

  test("a file that is not there", () => {
    const config = join(folder, "missing.json");
    expect(refusal(() => readSettings(primarySettings, { config }, {})).message).toContain("ENOENT");
  });
});

describe("sizes and times", () => {
  test("with a unit or without, by flag, variable and file", () => {
    const config = configFile('{ "keep-log-bytes": "512MiB", "keep-log-ms": 5000 }');
    const environment = { TAILRACE_CONFIG: config, TAILRACE_HOLD_INACTIVE_MS: "10min" };
    expect(
      readSettings(primarySettings, { maxLogBytes: "1.5GB", walSoftLimitBytes: "1000000" }, environment),
    ).toMatchObject({
      keepLogBytes: 512 * 2 ** 20,
      keepLogMs: 5_000,
      holdInactiveMs: 600_000,
      maxLogBytes: 1_500_000_000,
      walSoftLimitBytes: 1_000_000,
    });
  });

  test("no limit of the log is said by a word or by 0", () => {
    for (const maxLogBytes of ["none", "0", 0])
      expect(readSettings(primarySettings, { maxLogBytes }, {}).maxLogBytes).toBe(0);
  });

  test.each([
    [{ keepLogBytes: "much" }, '--keep-log-bytes is "much": not a size'],
    [{ keepLogMs: "1 fortnight" }, '--keep-log-ms is "1 fortnight": not a length of time'],
    [{ keepLogBytes: "-1" }, '--keep-log-bytes is "-1": less than 0'],
    [{ maxLogBytes: "10" }, '--max-log-bytes is "10": less than 1MiB'],
    [{ segmentSizeBytes: "2GiB" }, '--segment-size-bytes is "2GiB": more than 1GiB'],
    [{ keepSnapshots: "0" }, "--keep-snapshots is 0: less than 1"],
    [{ logLevel: "loud" }, '--log-level is "loud": none of debug, info, warn, error, silent'],
  ])("%j is refused", (flags, message) => {
    expect(refusal(() => readSettings(primarySettings, flags, {})).message).toContain(message);
  });
});

describe("limits that do not go together are named with their values, and the way out", () => {
  test("a largest size below the least", () => {
    const error = refusal(() => readSettings(primarySettings, { maxLogBytes: "512MiB" }, {}));
    expect(error.message).toBe(
      "--max-log-bytes is 512MiB: less than keep-log-bytes, which is 1GiB by default",
    );
    expect(error.hint).toBe(
      "Raise --max-log-bytes (0: no limit), or lower --keep-log-bytes to 512MiB or less.",
    );
  });

  test("less than two segments, one from the file and one from a variable", () => {
    const config = configFile('{ "keep-log-bytes": 0, "max-log-bytes": 100000000 }');
    const environment = { TAILRACE_CONFIG: config, TAILRACE_SEGMENT_SIZE_BYTES: "64MiB" };
    const error = refusal(() => readSettings(primarySettings, {}, environment));
    expect(error.message).toBe(
      `"max-log-bytes" in ${config} is 100MB: less than twice TAILRACE_SEGMENT_SIZE_BYTES, which is 64MiB`,
    );
    expect(error.hint).toContain("raise --max-log-bytes to 128MiB or more, or lower --segment-size-bytes");
  });

  test("without a largest size anything goes", () => {
    expect(
      readSettings(primarySettings, { maxLogBytes: "none", keepLogBytes: "1TiB" }, {}).keepLogBytes,
    ).toBe(2 ** 40);
  });
});

test("of each value it is known where it is from", () => {
  const config = configFile('{ "host": "::1", "port": 1 }');
  const { entries, file } = readConfiguration(primarySettings, {
    flags: { config, durability: "os" },
    environment: { TAILRACE_PORT: "2" },
  });
  const origins = Object.fromEntries(entries.map(({ info, origin }) => [info.flag, origin]));
  expect(file).toBe(config);
  expect(origins).toMatchObject({
    host: { kind: "file", name: `"host" in ${config}` },
    port: { kind: "variable", name: "TAILRACE_PORT" },
    durability: { kind: "flag", name: "--durability" },
    "keep-log-bytes": { kind: "default", name: "default" },
  });
});
