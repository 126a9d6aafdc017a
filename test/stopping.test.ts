import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Cleanup } from "./harness/cleanup.ts";
import { ServingProcess, until } from "./harness/node-process.ts";
import { assertSameBytes } from "./harness/shell.ts";

/*
 * SIGTERM: unready, flush, checkpoint, out within the deadline; a second one forces. Whatever a node is doing, and however
 * it ends: what it had acknowledged is there at the next start, and its replicas go on without a resync.
 */

const STORY_LIMIT_MS = 60_000;

let cleanup: Cleanup;
let file: string;
let edge: string;
beforeEach(() => {
  cleanup = new Cleanup();
  file = join(cleanup.folder, "app.db");
  edge = join(cleanup.folder, "edge.db");
});
afterEach(() => cleanup.run());

/** An application that writes to the primary's file, and knows what the primary has acknowledged by its log. */
class Application implements Disposable {
  readonly database: DatabaseSync;
  acknowledgedTxid = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor() {
    this.database = new DatabaseSync(file);
    this.database.exec("PRAGMA busy_timeout = 5000");
    this.database.exec("PRAGMA journal_mode = WAL");
    this.database.exec("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, pad BLOB)");
  }

  write(): void {
    this.database.exec("INSERT INTO t (pad) VALUES (randomblob(2000))");
  }

  /** Writes until told otherwise, whatever becomes of the primary. */
  keepWriting(): void {
    this.timer = setInterval(() => this.write(), 2);
  }

  stopWriting(): void {
    clearInterval(this.timer);
  }

  /** Notes what the log has, once it has something new. */
  async acknowledged(primary: ServingProcess): Promise<void> {
    const before = this.acknowledgedTxid;
    this.acknowledgedTxid = await until(
      "something new is in the log",
      () => primary.headTxid(),
      (txid) => txid > before,
    );
  }

  [Symbol.dispose](): void {
    this.stopWriting();
    this.database.close();
  }
}

function startPrimary(...words: readonly string[]): Promise<ServingProcess> {
  return ServingProcess.start(["primary", file, ...words]).then((process) => cleanup.owns(process));
}

async function startReplica(url: string, ...words: readonly string[]): Promise<ServingProcess> {
  return cleanup.owns(await ServingProcess.start(["replica", url, edge, ...words]));
}

function rowsOf(path: string): number {
  using database = new DatabaseSync(path, { readOnly: true });
  return Number(database.prepare("SELECT count(*) AS n FROM t").get()!["n"]);
}

/** A download that nobody reads keeps the server from closing at once. */
async function stalledDownload(url: string): Promise<void> {
  const request = http.get(`${url}/snapshot/latest`).on("error", () => {});
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  response.on("error", () => {}).pause();
}

describe("a primary under load that is told to stop", () => {
  const ends: readonly {
    readonly name: string;
    readonly words: readonly string[];
    readonly end: (primary: ServingProcess) => Promise<void>;
    readonly ending: object;
  }[] = [
    {
      name: "in time",
      words: [],
      end: () => Promise.resolve(),
      ending: { code: 0, signal: null },
    },
    {
      name: "without any time",
      words: ["--deadline-ms", "0"],
      end: () => Promise.resolve(),
      ending: { code: null, signal: "SIGKILL" },
    },
    {
      name: "and told again, by force",
      words: ["--deadline-ms", "1h"],
      end: async (primary) => {
        // Two signals within a moment are taken for one key.
        await pause(350);
        primary.child.kill("SIGTERM");
      },
      ending: { code: null, signal: "SIGTERM" },
    },
  ];

  it(
    "ends in time or by force, and nothing that it had acknowledged is lost",
    { timeout: STORY_LIMIT_MS },
    async () => {
      using application = new Application();
      application.database.exec("INSERT INTO t (pad) VALUES (zeroblob(20000000))");
      let primary = await startPrimary();
      const { port } = primary;
      const replica = await startReplica(primary.url);
      await replica.waitFor(/can be read/);
      application.keepWriting();
      for (const { name, words, end, ending } of ends) {
        if (!primary.isRunning) primary = await startPrimary("--port", port, ...words);
        await application.acknowledged(primary);
        if (name.includes("force")) await stalledDownload(primary.url);
        await application.acknowledged(primary);
        primary.child.kill("SIGTERM");
        await end(primary);
        expect(await primary.exited, `${name}\n${primary.text}`).toEqual(ending);
        expect(primary.text.includes("is an ordinary SQLite database")).toBe(name === "in time");
      }
      primary = await startPrimary("--port", port);
      expect(await primary.headTxid()).toBeGreaterThanOrEqual(application.acknowledgedTxid);
      application.stopWriting();
      const written = rowsOf(file);
      await until(
        "the replica has all",
        () => rowsOf(edge),
        (rows) => rows === written,
      );
      expect(await replica.status()).toMatchObject({ resyncs: 0, bootstraps: 1 });
      await replica.stop();
      await primary.stop();
      assertSameBytes(file, edge);
    },
  );

  it(
    "while it starts, takes a snapshot, or can write nothing, it stops in good order, and logs what was left at the next start",
    { timeout: STORY_LIMIT_MS },
    async () => {
      using application = new Application();
      let primary = await startPrimary();
      application.write();
      await application.acknowledged(primary);
      await primary.stop();

      // What was written meanwhile is logged while it starts. It first starts, and then stops.
      application.write();
      primary = cleanup.owns(
        ServingProcess.launch(["primary", file], {
          env: { TAILRACE_FAILPOINT: "log.fragment-written:1:SIGTERM" },
        }),
      );
      expect(await primary.exited, primary.text).toEqual({ code: 0, signal: null });
      expect(primary.text).toContain("is an ordinary SQLite database");

      primary = cleanup.owns(
        await ServingProcess.start(["primary", file], {
          env: { TAILRACE_FAILPOINT: "snapshot.image-written:1:SIGTERM" },
        }),
      );
      expect(await primary.headTxid()).toBe(application.acknowledgedTxid + 1);
      await fetch(`${primary.url}/snapshot/latest`).then(
        (answer) => answer.arrayBuffer(),
        () => undefined,
      );
      expect(await primary.exited, primary.text).toEqual({ code: 0, signal: null });

      // A newcomer gets one at the next start.
      primary = await startPrimary("--deadline-ms", "8s");
      const { port } = primary;
      const replica = await startReplica(primary.url);
      await replica.waitFor(/can be read/);
      expect(rowsOf(edge)).toBe(2);

      application.write();
      await application.acknowledged(primary);
      execFileSync("prlimit", ["--pid", String(primary.pid), "--fsize=4096:"]);
      application.write();
      await primary.waitFor(/storage_failed/);
      application.write();
      primary.child.kill("SIGTERM");
      expect(await primary.exited, primary.text).toEqual({ code: 0, signal: null });
      primary = await startPrimary("--port", port);
      expect(await primary.headTxid()).toBeGreaterThan(application.acknowledgedTxid);
      await until(
        "the replica has all",
        () => rowsOf(edge),
        (rows) => rows === 5,
      );
      await replica.stop();
      await primary.stop();
      assertSameBytes(file, edge);
    },
  );
});

describe("a replica that is told to stop", () => {
  it("while it fetches its first snapshot, it stops at once, and goes on at the next start", async () => {
    using application = new Application();
    application.database.exec("INSERT INTO t (pad) VALUES (randomblob(8000000))");
    const primary = await startPrimary();
    const first = cleanup.owns(
      ServingProcess.launch(["replica", primary.url, edge], {
        env: { TAILRACE_FAILPOINT: "bootstrap.part-written:1:SIGTERM" },
      }),
    );
    expect(await first.exited, first.text).toEqual({ code: 0, signal: null });
    expect(first.text).not.toContain("can be read");
    const second = await startReplica(primary.url);
    await second.waitFor(/can be read/);
    expect(rowsOf(edge)).toBe(1);
    await second.stop();
    await primary.stop();
    assertSameBytes(file, edge);
  });

  it("while nobody answers it, it stops at once", async () => {
    const replica = await startReplica("http://127.0.0.1:9");
    await replica.waitFor(/unreachable/);
    await replica.stop();
    expect(replica.text).not.toContain("can be read");
    // There is no file yet to say anything of.
    expect(replica.text).toMatch(/\nstopped\n$/);
  });
});

it("a signal to the whole process group, which npm hands on as well, is one signal", async () => {
  const npm = spawn("npm", ["run", "--silent", "tailrace", "--", "primary", file, "--port", "0"], {
    cwd: join(import.meta.dirname, ".."),
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [npm.stdout, npm.stderr])
    stream.setEncoding("utf8").on("data", (more: string) => (text += more));
  const closed = once(npm, "close");
  try {
    await until(
      "it serves",
      () => text,
      (said) => said.includes("serving"),
    );
    process.kill(-npm.pid!, "SIGTERM");
    await closed;
    expect(text).toContain("stopped;");
    expect(text).not.toContain("by force");
  } finally {
    if (npm.exitCode === null && npm.signalCode === null) process.kill(-npm.pid!, "SIGKILL");
  }
});
