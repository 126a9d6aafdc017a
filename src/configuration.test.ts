import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { TailraceError } from "../shared/errors.ts";
import { describeSettings, readSettings } from "./configuration.ts";
import {
  demoSettings,
  primarySettings,
  replicaSettings,
  statusSettings,
  verifySettings,
} from "./settings.ts";

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
    for (const schema of [primarySettings, replicaSettings, demoSettings, statusSettings, verifySettings]) {
      for (const { flag, variable, description, type, placeholder } of describeSettings(schema)) {
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
    [{ port: "70000" }, {}, "--port is 70000: Too big: expected number to be <=65535"],
    [{ port: "" }, {}, '--port is "": Invalid input: expected number, received string'],
    [{ port: "0x10" }, {}, '--port is "0x10": Invalid input: expected number, received string'],
    [
      {},
      { TAILRACE_PORT: "tcp://10.0.0.1:80" },
      'TAILRACE_PORT is "tcp://10.0.0.1:80": Invalid input: expected number, received string',
    ],
    [
      { durability: "fsync" },
      {},
      '--durability is "fsync": Invalid option: expected one of "commit"|"group"|"os"',
    ],
    [
      {},
      { TAILRACE_INSECURE: "perhaps" },
      'TAILRACE_INSECURE is "perhaps": Invalid input: expected boolean, received string',
    ],
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
    expect(error.hint).toContain("host, insecure, data-dir, driver");
  });

  test.each(["not json", "[1]", "null", '"text"'])("a file that holds %s", (content) => {
    const config = configFile(content);
    expect(refusal(() => readSettings(primarySettings, { config }, {})).message).toContain(
      `--config ${config}`,
    );
  });

  test("a file that is not there", () => {
    const config = join(folder, "missing.json");
    expect(refusal(() => readSettings(primarySettings, { config }, {})).message).toContain("ENOENT");
  });
});
