import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { commands } from "../src/commands.ts";
import { Transcript } from "./harness/golden.ts";

const folder = mkdtempSync(join(tmpdir(), "tailrace-configuration-"));
const config = join(folder, "tailrace.json");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function transcript(story: string): Transcript {
  return new Transcript(story, [[folder, "FOLDER"]]);
}

test("what a node would run with is shown, and nothing is touched", async () => {
  writeFileSync(config, '{ "keep-log-bytes": "2GiB", "max-log-bytes": "none", "port": 4900 }');
  const it = transcript("What a primary would run with, and where each value is from.");
  const words = [
    "primary",
    join(folder, "app.db"),
    "--config",
    config,
    "--print-config",
    "--log-level",
    "warn",
  ];
  const environment = { TAILRACE_PORT: "4901", TAILRACE_HOLD_INACTIVE_MS: "36h" };
  expect(await it.run(commands, words, environment)).toMatchObject({ code: 0, stderr: "" });
  const json = await it.run(commands, [...words, "--json"], environment);
  expect(JSON.parse(json.stdout)).toMatchObject({
    config,
    settings: {
      "keep-log-bytes": { value: 2 ** 31, origin: "file" },
      "max-log-bytes": { value: 0, origin: "file" },
      port: { value: 4901, origin: "variable", from: "TAILRACE_PORT" },
      "log-level": { value: "warn", origin: "flag", from: "--log-level" },
      "keep-snapshots": { value: 2, origin: "default" },
    },
  });
  it.expectGolden("configuration/a-primary");
  expect(readdirSync(folder)).toEqual(["tailrace.json"]);
});

test("user and password within a URL are not shown", async () => {
  const it = transcript("What a replica would run with, without the password of its primary.");
  const { stdout } = await it.run(commands, [
    "replica",
    "http://edge:hunter2@primary.test:4800",
    "edge.db",
    "--print-config",
  ]);
  expect(stdout).not.toContain("hunter2");
  it.expectGolden("configuration/a-replica");
});

test("what cannot be used is refused, with what was meant and the way out", async () => {
  const it = transcript("Configurations that are refused.");
  const refused = async (remark: string, words: readonly string[], environment = {}): Promise<void> => {
    it.say(remark);
    expect(await it.run(commands, ["primary", "app.db", ...words], environment)).toMatchObject({ code: 2 });
  };
  writeFileSync(config, '{ "keepLogBytes": 1 }');
  await refused("A key as in the library.", ["--config", config]);
  writeFileSync(config, '{ "max-log-byts": 1 }');
  await refused("A key with a slip.", ["--config", config]);
  writeFileSync(config, '{ "max-log-bytes": "8GB" }');
  await refused("Two limits that cannot both hold.", ["--config", config], {
    TAILRACE_KEEP_LOG_BYTES: "10GiB",
  });
  await refused("A limit that does not go with a default.", ["--max-log-bytes", "100MiB"]);
  await refused("Less than two segments.", ["--max-log-bytes", "100MiB", "--keep-log-bytes", "0"]);
  await refused("A size that is none.", ["--keep-log-bytes", "10 apples"]);
  await refused("A time that is none.", ["--hold-inactive-ms", "1 fortnight"]);
  await refused("A level that is none.", ["--log-level", "loud"]);
  writeFileSync(config, '{ "token": hunter2 }');
  await refused("A file that is not JSON.", ["--config", config]);
  await refused("A file that is not there.", [], { TAILRACE_CONFIG: join(folder, "missing.json") });
  it.expectGolden("configuration/refused");
});
