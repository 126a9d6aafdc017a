import { beforeEach, describe, expect, test } from "vitest";
import { TailraceError } from "../../shared/errors.ts";
import { TEXT_FIELDS } from "../../shared/notice.ts";
import type { Notice } from "../../shared/notice.ts";
import { describeSettings, readConfiguration } from "./configuration.ts";
import type { Configuration } from "./configuration.ts";
import type { NodeLog } from "../log/node-log.ts";
import { primarySettings, replicaSettings } from "./node-settings.ts";
import type { PrimarySettings } from "./node-settings.ts";
import { Reloader } from "./reload.ts";

const MIB = 2 ** 20;

/** What a configuration file would hold, as flags. */
type File = Readonly<Record<string, unknown>>;

let told: Notice[];
let applied: PrimarySettings[];
let levels: string[];
const log = {
  answer: (notice: Notice) => void told.push(notice),
  setLevel: (level: string) => void levels.push(level),
} as unknown as NodeLog;
beforeEach(() => {
  told = [];
  applied = [];
  levels = [];
});

function read(file: File): Configuration<PrimarySettings> {
  return { ...readConfiguration(primarySettings, { flags: file, environment: {} }), file: "tailrace.json" };
}

/** A node that was started with one file, and finds others afterwards, one a reload. */
function reloading(before: File, ...after: readonly (File | Error)[]): Reloader<PrimarySettings> {
  const files = [...after];
  return new Reloader({
    configuration: read(before),
    readAgain: () => {
      const file = files.shift() ?? {};
      if (file instanceof Error) throw file;
      return read(file);
    },
    log,
  });
}

/** Asks, and waits until all is done. */
async function reload(reloader: Reloader<PrimarySettings>): Promise<void> {
  reloader.ask();
  await new Promise(setImmediate);
}

const take = (settings: PrimarySettings): Promise<void> => {
  applied.push(settings);
  return Promise.resolve();
};

describe("a configuration that is read again", () => {
  test("has no setting whose text the log would mask", () => {
    const settings = [primarySettings, replicaSettings].flatMap((schema) => describeSettings(schema));
    const words = settings.filter(({ isReloadable, choices }) => isReloadable && choices !== undefined);
    expect(words.map(({ key }) => key)).toContain("logLevel");
    for (const { key } of words) expect(TEXT_FIELDS).toEqual(expect.arrayContaining([key, `${key}Before`]));
  });

  test("is taken over, and told key by key", async () => {
    const reloader = reloading(
      { keepLogBytes: "1MiB", holdInactiveMs: "1h" },
      { keepLogBytes: "2MiB", holdInactiveMs: "1h", maxLogBytes: "none", logLevel: "debug" },
    );
    reloader.ready(take);
    await reload(reloader);
    expect(applied).toMatchObject([{ keepLogBytes: 2 * MIB, maxLogBytes: 0, logLevel: "debug" }]);
    expect(told).toEqual([
      {
        level: "info",
        name: "configuration_reloaded",
        text: "tailrace.json was read again: keep-log-bytes 1MiB → 2MiB, max-log-bytes 10GiB → none, log-level info → debug",
        fields: {
          file: "tailrace.json",
          keepLogBytes: 2 * MIB,
          keepLogBytesBefore: MIB,
          maxLogBytes: 0,
          maxLogBytesBefore: 10_240 * MIB,
          logLevel: "debug",
          logLevelBefore: "info",
        },
      },
    ]);
    expect(levels).toEqual(["debug"]);
    expect(reloader.settings.keepLogBytes).toBe(2 * MIB);
  });

  test("what needs a restart is named each time, and the rest is taken all the same", async () => {
    const file = { port: "4900", segmentSizeBytes: "1MiB", keepSnapshots: "3" };
    const reloader = reloading({}, file, file);
    reloader.ready(take);
    await reload(reloader);
    await reload(reloader);
    expect(applied).toMatchObject([{ port: 4800, segmentSizeBytes: 64 * MIB, keepSnapshots: 3 }]);
    expect(told.map(({ text }) => text)).toEqual([
      "tailrace.json was read again: keep-snapshots 2 → 3",
      "to be taken over by a restart: port 4800 → 4900, segment-size-bytes 64MiB → 1MiB",
      "tailrace.json was read again: nothing to take over",
      "to be taken over by a restart: port 4800 → 4900, segment-size-bytes 64MiB → 1MiB",
    ]);
    expect(told[1]).toMatchObject({ level: "warn", fields: { needsRestart: "port, segment-size-bytes" } });
  });

  test("an invalid one is refused whole", async () => {
    const wrong = new TailraceError("invalid_configuration", '"port" in tailrace.json is "x"', {
      hint: "A number.",
    });
    const reloader = reloading({}, wrong, { keepSnapshots: "3" });
    reloader.ready(take);
    await reload(reloader);
    expect(applied).toEqual([]);
    expect(told).toMatchObject([
      {
        level: "error",
        name: "configuration_refused",
        fields: { code: "invalid_configuration", hint: "A number." },
      },
    ]);
    await reload(reloader);
    expect(applied).toMatchObject([{ keepSnapshots: 3 }]);
  });

  test("so is one that goes only with what needs a restart", async () => {
    const reloader = reloading({}, { segmentSizeBytes: "1MiB", maxLogBytes: "4MiB", keepLogBytes: "1MiB" });
    reloader.ready(take);
    await reload(reloader);
    expect(applied).toEqual([]);
    expect(told).toMatchObject([
      {
        name: "configuration_refused",
        fields: {
          message: "maxLogBytes would be less than twice the segmentSizeBytes that is in force",
          hint: "It goes only together with what needs a restart (segment-size-bytes): restart this node.",
        },
      },
    ]);
  });

  test("so is one that the engine refuses", async () => {
    const reloader = reloading({}, { keepSnapshots: "3" });
    reloader.ready(() => Promise.reject(new TailraceError("closed", "the primary was closed")));
    await reload(reloader);
    expect(told).toMatchObject([{ name: "configuration_refused", fields: { code: "closed" } }]);
    expect(reloader.settings.keepSnapshots).toBe(2);
  });

  test("asked for before the node is open, it is read when it is", async () => {
    const reloader = reloading({}, { keepSnapshots: "3" });
    await reload(reloader);
    expect(told).toEqual([]);
    reloader.ready(take);
    await new Promise(setImmediate);
    expect(applied).toMatchObject([{ keepSnapshots: 3 }]);
  });

  test("asked for during a reload, it is read once more after it", async () => {
    const reloader = reloading({}, { keepSnapshots: "3" }, { keepSnapshots: "4" });
    reloader.ready((settings) => {
      if (applied.length === 0) reloader.ask();
      return take(settings);
    });
    await reload(reloader);
    expect(applied).toMatchObject([{ keepSnapshots: 3 }, { keepSnapshots: 4 }]);
  });

  test("without a file there is nothing to read, and that is said", async () => {
    const configuration = { ...read({}), file: undefined };
    const reloader = new Reloader({ configuration, readAgain: () => configuration, log });
    reloader.ready(take);
    await reload(reloader);
    expect(told).toMatchObject([{ level: "warn", name: "configuration_has_no_file" }]);
  });
});
