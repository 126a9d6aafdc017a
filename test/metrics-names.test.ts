import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { describeSettings } from "../src/configuration/configuration.ts";
import { commands } from "../src/commands.ts";
import { EventLoopDelay } from "../shared/metrics/event-loop.ts";
import type { MetricDefinition } from "../shared/metrics/metric-set.ts";
import { PrimaryEngineMetrics } from "../shared/metrics/primary-engine.ts";
import { ReplicaEngineMetrics } from "../shared/metrics/replica-engine.ts";
import { ServerMetrics } from "../shared/metrics/server.ts";

/*
 * What operators are given (rules, dashboard, runbooks) speaks of what the code has, and leaves nothing of it out.
 */

const ROOT = join(import.meta.dirname, "..");
const OPERATIONS = join(ROOT, "docs/operations.md");
const IS_UPDATE = (process.env["UPDATE_GOLDEN"] ?? "") !== "";
/** What a histogram's series are called after its name. */
const SERIES = /_(bucket|sum|count)$/;
const BEGIN = "<!-- metrics: begin -->\n";
const END = "<!-- metrics: end -->";

const eventLoop = new EventLoopDelay("test", () => 0);
afterAll(() => eventLoop.close());

/** By role, in the order of definition. */
const nodes: Readonly<Record<string, readonly MetricDefinition[]>> = {
  server: new ServerMetrics(eventLoop).definitions,
  primary: new PrimaryEngineMetrics(eventLoop).definitions,
  replica: new ReplicaEngineMetrics(eventLoop, { maxBacklogBytes: 1 }).definitions,
};

/** Every metric with the parts of a node that have it. */
const metrics = new Map<
  string,
  { readonly definition: MetricDefinition; readonly where: readonly string[] }
>();
for (const [where, definitions] of Object.entries(nodes)) {
  for (const definition of definitions) {
    const known = metrics.get(definition.name);
    metrics.set(definition.name, { definition, where: [...(known?.where ?? []), where] });
  }
}

function text(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** The metrics that a text speaks of. */
function named(path: string): readonly string[] {
  const names = [...text(path).matchAll(/\btailrace_[a-z_]+/g)].map(([name]) => name);
  // "All begin with `tailrace_`."
  return [...new Set(names)].filter((name) => name !== "tailrace_").map((name) => base(name));
}

function base(name: string): string {
  const stem = name.replace(SERIES, "");
  return metrics.get(stem)?.definition.type === "histogram" ? stem : name;
}

function unitOf({ name }: MetricDefinition): string {
  const stem = name.replace(/_total$/, "");
  if (stem.endsWith("_timestamp_seconds")) return "Unix seconds";
  if (stem.endsWith("_seconds")) return "seconds";
  return stem.endsWith("_bytes") ? "bytes" : "";
}

function table(): string {
  const rows = [...metrics.values()].map(({ definition, where }) => {
    const { name, type, labels, help } = definition;
    const shown = labels.length === 0 ? name : `${name}{${labels.join(",")}}`;
    return `| \`${shown}\` | ${type} | ${unitOf(definition)} | ${where.join(", ")} | ${help} |\n`;
  });
  return `| metric | type | unit | of | what |\n|---|---|---|---|---|\n${rows.join("")}`;
}

const SPEAKING = [
  "deploy/prometheus/tailrace-rules.yml",
  "deploy/prometheus/tailrace-rules.test.yml",
  "deploy/grafana/tailrace.json",
  ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`),
];

describe("metrics", () => {
  test.each(SPEAKING)("that %s speaks of are in the code", (path) => {
    expect(named(path).filter((name) => !metrics.has(name))).toEqual([]);
  });

  test("stand in docs/operations.md, all of them, as the code has them", () => {
    const document = readFileSync(OPERATIONS, "utf8");
    const [before = "", rest = ""] = document.split(BEGIN);
    const [found = "", after = ""] = rest.split(END);
    if (IS_UPDATE) writeFileSync(OPERATIONS, `${before}${BEGIN}${table()}${END}${after}`);
    else expect(found).toBe(table());
  });

  test("have one meaning, base units, and labels that stay few", () => {
    for (const { definition, where } of metrics.values()) {
      const all = where.map((part) => nodes[part]!.find(({ name }) => name === definition.name));
      expect(new Set(all.map((one) => JSON.stringify(one))).size, definition.name).toBe(1);
      expect(definition.name).toMatch(/^tailrace_[a-z]+(_[a-z]+)*$/);
      expect(definition.name.endsWith("_total"), definition.name).toBe(definition.type === "counter");
      expect(definition.name).not.toMatch(/_(ms|milliseconds|kib|mib|percent)(_|$)/);
      expect(definition.help).toMatch(/^[A-Z1-9].*\.$/);
      expect([
        "replica",
        "state",
        "result",
        "code",
        "route",
        "status",
        "kind",
        "thread",
        "stat",
        "version",
        "role",
      ]).toEqual(expect.arrayContaining([...definition.labels]));
    }
  });
});

describe("runbooks", () => {
  const rules = text("deploy/prometheus/tailrace-rules.yml");
  const operations = readFileSync(OPERATIONS, "utf8");
  const alerts = [...rules.matchAll(/^ +- alert: (\w+)$/gm)].map(([, name]) => name!);
  const headings = [...operations.matchAll(/^### (\w+)$/gm)].map(([, name]) => name!);

  test("are there for each alert, and for nothing else", () => {
    expect(alerts.length).toBeGreaterThan(10);
    expect(headings.toSorted()).toEqual(alerts.toSorted());
  });

  test("are what each alert points to", () => {
    const pointed = [...rules.matchAll(/alert: (\w+)$[^]*?runbook_url: (\S+)$/gm)];
    expect(pointed.map(([, , url]) => url)).toEqual(
      alerts.map((name) => `docs/operations.md#${name.toLowerCase()}`),
    );
  });

  test("are tested alerts: each one is seen to fire, and not to", () => {
    const tests = text("deploy/prometheus/tailrace-rules.test.yml");
    const fires = [...tests.matchAll(/alertname: (\w+)\n +exp_alerts:/g)].map(([, name]) => name);
    expect(alerts.filter((name) => !fires.includes(name))).toEqual([]);
    const silent = [...tests.matchAll(/alertname: (\w+)\n(?! +exp_alerts:)/g)].map(([, name]) => name);
    expect(alerts.filter((name) => !silent.includes(name))).toEqual([]);
  });

  test("lead to places that are there", () => {
    const anchors = [...operations.matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
      title!
        .toLowerCase()
        .replaceAll(/[^\w -]/g, "")
        .replaceAll(" ", "-"),
    );
    const links = [...operations.matchAll(/\]\(#([\w-]+)\)/g)].map(([, anchor]) => anchor!);
    expect(links.length).toBeGreaterThan(10);
    expect(links.filter((anchor) => !anchors.includes(anchor))).toEqual([]);
  });

  test("tell commands that there are, with flags that they take", () => {
    const isCode = /```sh\n([^]*?)```|`([^`\n]+)`/g;
    const lines = [...operations.matchAll(isCode)].flatMap(([, block, inline]) =>
      (block ?? inline ?? "").split("\n"),
    );
    const calls = lines.filter((line) => line.startsWith("tailrace "));
    const used = new Set<string>();
    for (const line of calls) {
      const [, name = "", ...words] = line.split(/ +/);
      const command = commands.find((candidate) => candidate.name === name);
      expect(command, line).toBeDefined();
      const flags = ["config", ...describeSettings(command!.settings).map(({ flag }) => flag)];
      const given = words.filter((word) => word.startsWith("--")).map((word) => word.slice(2));
      expect(flags, line).toEqual(expect.arrayContaining(given));
      // In a sentence a command may be named without its operands.
      const operands = words.filter(
        (word, index) => !word.startsWith("--") && words[index - 1] !== "--config",
      );
      if (operands.length > 0) expect(operands.length, line).toBe(command!.operands.length);
      used.add(name);
    }
    expect([...used].toSorted()).toEqual([
      "check",
      "checkpoint",
      "forget",
      "primary",
      "repair",
      "replicas",
      "snapshot",
      "snapshots",
      "status",
      "verify",
      "wal",
    ]);
  });

  test("name settings that there are", () => {
    const known = commands.flatMap(({ settings }) => describeSettings(settings).map(({ flag }) => flag));
    const spoken = [...operations.matchAll(/`(?:--)?([a-z]+(?:-[a-z]+)+)(?: [a-z]+)?`/g)].map(
      ([, name]) => name!,
    );
    const headers = ["snapshot-checksum", "snapshot-txid"];
    expect(spoken.filter((name) => !known.includes(name) && !headers.includes(name))).toEqual([]);
  });
});
