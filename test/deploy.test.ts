import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readConfiguration } from "../src/configuration/configuration.ts";
import { primarySettings, replicaSettings } from "../src/configuration/node-settings.ts";
import type { NodeSettings } from "../src/configuration/node-settings.ts";

/*
 * What is in deploy/, as far as it can be held to account without the programs that it is for; prometheus.test.ts and
 * systemd.test.ts ask those.
 */

const DEPLOY = join(import.meta.dirname, "../deploy");

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[];
}

interface Dashboard {
  readonly uid: string;
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] };
  readonly annotations: { readonly list: readonly { readonly datasource: { readonly uid: string } }[] };
  readonly panels: readonly Panel[];
}

describe("the Grafana dashboard", () => {
  const dashboard = JSON.parse(readFileSync(join(DEPLOY, "grafana/tailrace.json"), "utf8")) as Dashboard;
  const graphs = dashboard.panels.filter(({ type }) => type !== "row");
  const targets = graphs.flatMap((panel) => panel.targets ?? []);

  test("takes its data source, its jobs and its nodes from variables", () => {
    expect(dashboard.templating.list.map(({ name, type }) => [name, type])).toEqual([
      ["datasource", "datasource"],
      ["job", "query"],
      ["instance", "query"],
    ]);
    const sources = [
      ...graphs.map((panel) => panel.datasource),
      ...targets,
      ...dashboard.annotations.list,
    ].map((holder) => (holder !== undefined && "datasource" in holder ? holder.datasource.uid : holder?.uid));
    expect(new Set(sources)).toEqual(new Set(["${datasource}"]));
    for (const { expr } of targets) {
      const metrics = expr.match(/\btailrace_\w+/g) ?? [];
      const chosen = expr.match(/\btailrace_\w+\{job=~"\$job",instance=~"\$instance"/g) ?? [];
      expect(metrics.length, expr).toBeGreaterThan(0);
      expect(chosen.length, expr).toBe(metrics.length);
    }
  });

  test("says of each panel what it shows, under an id of its own, with something to show", () => {
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { title, description = "", targets: shown = [] } of graphs) {
      expect(description, title).toMatch(/\.$/);
      expect(shown.length, title).toBeGreaterThan(0);
    }
  });

  test("lays its panels side by side, none over another, none over the edge", () => {
    const taken = new Map<string, string>();
    for (const { title, gridPos } of dashboard.panels) {
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.get(`${x},${y}`), `under ${title}`).toBeUndefined();
          taken.set(`${x},${y}`, title);
        }
      }
    }
  });

  test("shows what an operator asks first", () => {
    const asked = targets.map(({ expr }) => expr).join("\n");
    for (const metric of [
      "tailrace_replica_lag_seconds",
      "tailrace_replica_bytes_until_lost",
      "tailrace_commits_total",
      "tailrace_log_max_bytes",
      "tailrace_log_fsync_seconds_bucket",
      "tailrace_capture_delay_seconds_bucket",
      "tailrace_apply_commits_total",
      "tailrace_sqlite_wal_bytes",
      "tailrace_disk_free_bytes",
      "tailrace_errors_total",
      "tailrace_event_loop_delay_seconds",
    ])
      expect(asked).toContain(metric);
  });
});

function unit(role: string): string {
  return readFileSync(join(DEPLOY, `systemd/tailrace-${role}@.service`), "utf8");
}

/** The variables of an environment file. */
function environment(name: string): Record<string, string> {
  const lines = readFileSync(join(DEPLOY, "systemd", name), "utf8").split("\n");
  const set = lines.filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    set.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}

describe("the systemd units", () => {
  const examples = [
    ["primary", "app", primarySettings],
    ["replica", "edge", replicaSettings],
  ] as const;

  test.each(examples)("of a %s start with their example settings", (role, name, schema) => {
    const variables = environment(`${name}.env`);
    const config = join(DEPLOY, "systemd", `${name}.json`);
    const given = { flags: { config }, environment: variables };
    const { settings } = readConfiguration<NodeSettings>(schema, given);
    expect(settings).toMatchObject({ logFormat: "json", host: "127.0.0.1", durability: "commit" });
    // They say what may be changed, and change nothing but the name of the replica.
    const defaults = schema.parse({});
    expect({ ...settings, id: undefined, logFormat: defaults.logFormat }).toEqual({
      ...defaults,
      id: undefined,
    });

    const [, command = ""] = /^ExecStart=(.*)$/m.exec(unit(role)) ?? [];
    expect(command).toMatch(new RegExp(`^/\\S+/tailrace ${role} `));
    for (const [, variable] of command.matchAll(/\$\{(\w+)\}/g))
      expect(variables).toHaveProperty([variable!]);
    // What is not for the command line is a setting.
    const rest = Object.keys(variables).filter((variable) => !command.includes(`\${${variable}}`));
    expect(rest).toEqual(["TAILRACE_LOG_FORMAT"]);

    const [, stopSeconds] = /^TimeoutStopSec=(\d+)$/m.exec(unit(role)) ?? [];
    expect(Number(stopSeconds) * 1000).toBeGreaterThan(settings.deadlineMs);
  });

  test.each(["primary", "replica"])(
    "of a %s reload by SIGHUP, stop by SIGTERM, and take nothing that breaks Node",
    (role) => {
      const text = unit(role);
      expect(text).toContain("ExecReload=/bin/kill -HUP $MAINPID\n");
      expect(text).toContain("KillSignal=SIGTERM\n");
      expect(text).toContain("LimitNOFILE=65536\n");
      expect(text).not.toMatch(/^(MemoryDenyWriteExecute|PrivateUsers|ProcSubset)=/m);
    },
  );
});
