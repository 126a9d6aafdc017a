import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { statusSchema } from "../shared/status.ts";
import type { LogStatus } from "../shared/status.ts";
import { Cleanup } from "./harness/cleanup.ts";
import { ServingProcess, until } from "./harness/node-process.ts";

/*
 * SIGHUP: a running node takes over what can change, names what cannot, and refuses what is wrong as a whole. And what a
 * node's last words are.
 */

const MIB = 2 ** 20;

let cleanup: Cleanup;
let file: string;
let config: string;
beforeEach(() => {
  cleanup = new Cleanup();
  file = join(cleanup.folder, "app.db");
  config = join(cleanup.folder, "tailrace.json");
});
afterEach(() => cleanup.run());

function configure(settings: object): void {
  writeFileSync(config, JSON.stringify(settings));
}

async function start(words: readonly string[], env: Record<string, string> = {}): Promise<ServingProcess> {
  return cleanup.owns(await ServingProcess.start(words, { env }));
}

async function logOf(node: ServingProcess): Promise<LogStatus> {
  return await until(
    "it has a log",
    async () => statusSchema.parse(await node.status()).log,
    (log) => log !== null,
  ).then((log) => log!);
}

/** Sends the signal, and waits for what is said about it. */
async function reload(node: ServingProcess, answer: RegExp): Promise<string> {
  const from = node.text.length;
  node.child.kill("SIGHUP");
  await node.waitFor(answer, 15_000, from);
  return node.text.slice(from);
}

it("a primary and its replica take over new limits, name what needs a restart, and refuse an invalid file whole", async () => {
  configure({ "keep-log-bytes": "5MiB", "max-log-bytes": "1GiB" });
  const words = ["primary", file, "--config", config, "--segment-size-bytes", "1MiB"];
  const node = await start(words, { TAILRACE_HOLD_INACTIVE_MS: "1h" });
  expect(await logOf(node)).toMatchObject({ keepBytes: 5 * MIB, holdInactiveMs: 3_600_000 });

  configure({
    "keep-log-bytes": "7MiB",
    "max-log-bytes": "none",
    durability: "os",
    "hold-inactive-ms": "2h",
  });
  const taken = await reload(node, /to be taken over by a restart: durability commit → os\n/);
  expect(taken).toContain(
    `${config} was read again: keep-log-bytes 5MiB → 7MiB, max-log-bytes 1GiB → none\n`,
  );
  // The variable goes before the file, as at the start.
  const changed = { keepBytes: 7 * MIB, maxBytes: null, holdInactiveMs: 3_600_000, durability: "commit" };
  expect(await logOf(node)).toMatchObject(changed);

  configure({ "keep-log-bytes": "9MiB", "keep-snapshots": "many" });
  expect(await reload(node, /refused, .*\n/)).toContain('"keep-snapshots" in');
  writeFileSync(config, '{ "keep-log-bytes": ');
  expect(await reload(node, /refused, .*\n/)).toContain("not JSON");
  configure({ "keep-log-byte": 1 });
  expect(await reload(node, /refused, .*\n/)).toContain('unknown key "keep-log-byte"');
  configure({ "keep-log-bytes": "9MiB", "max-log-bytes": "8MiB" });
  expect(await reload(node, /refused, .*\n/)).toContain("which is 9MiB");
  expect(await logOf(node)).toMatchObject(changed);

  // Its replica does too, told as JSON lines on stderr and as events on stdout.
  configure({ "keep-log-bytes": "5MiB" });
  const edge = join(cleanup.folder, "edge.db");
  const replicaLine = ["replica", node.url, edge, "--config", config, "--json", "--log-format", "json"];
  const replica = await start(replicaLine);
  await replica.waitFor(/"event":"ready"/);

  configure({ "keep-log-bytes": "7MiB", "log-level": "error" });
  const said = await reload(replica, /"event":"configuration_reloaded"/);
  const lines = said
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const fields = { file: config, keepLogBytes: 7 * MIB, keepLogBytesBefore: 5 * MIB, logLevel: "error" };
  expect(lines.find(({ event }) => event === "configuration_reloaded")).toMatchObject(fields);
  expect(await logOf(replica)).toMatchObject({ keepBytes: 7 * MIB });
  await replica.stop();
  expect(replica.text).toContain('"event":"stopped"');
  expect(replica.text).not.toContain('"name":"stopped"');
  await node.stop();
});

it.each([[[]], [["--json"]], [["--log-format", "json"]]])(
  "a node without a file says that there is none to read, goes on, and outlives whoever read what it says: %j",
  async (words) => {
    const node = await start(["primary", file, ...words]);
    await reload(node, /SIGHUP: this process was started without --config FILE/);
    node.child.stdout.destroy();
    node.child.stderr.destroy();
    // Each is answered by a line that nobody can read; the second one's answer comes after the first has failed.
    for (let round = 0; round < 2; round++) {
      node.child.kill("SIGHUP");
      expect(await node.status()).toMatchObject({ isReady: true });
    }
    expect(await node.kill("SIGTERM")).toEqual({ code: 0, signal: null });
  },
);

it("a bug that nobody caught is logged before the process ends, without what it quotes", async () => {
  const bug = 'process.on("SIGUSR2",()=>{throw new Error("near \\"hunter2\\": syntax error")})';
  const node = await start(["primary", file, "--log-format", "json"], {
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(bug)}`,
  });
  node.child.kill("SIGUSR2");
  expect(await node.exited).toEqual({ code: 1, signal: null });
  const last = JSON.parse(node.text.trim().split("\n").at(-1)!) as Record<string, unknown>;
  expect(last).toMatchObject({
    level: "error",
    name: "crashed",
    msg: 'near "***": syntax error',
    fields: { code: "internal", stack: expect.arrayContaining([expect.stringMatching(/^at /)]) as unknown },
  });
  expect(node.text).not.toContain("hunter2");
});
