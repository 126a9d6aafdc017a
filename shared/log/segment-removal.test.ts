import type * as fs from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { History } from "../../test/harness/history.ts";
import { loseNames } from "../../test/harness/unsynced-names.ts";
import { LogCopy } from "./log-copy.ts";
import { LogWriter } from "./log-writer.ts";
import { segmentPath } from "./segment-files.ts";

vi.mock("node:fs", async (original) => {
  const { withUnsyncedNames } = await import("../../test/harness/unsynced-names.ts");
  return withUnsyncedNames(await original<typeof fs>());
});

/** A log of six segments. */
function openLog(folder: string): LogWriter {
  const history = new History();
  const { log } = LogWriter.open({
    folder,
    logId: "0".repeat(32),
    epoch: 1,
    pageSizeBytes: 512,
    segmentSizeBytes: 600,
    durability: "commit",
    clock: () => 0,
    initial: history.initial,
  });
  while (log.end.segment < 6) for (const fragment of history.record()) log.append(fragment);
  return log;
}

test("no segment that was dropped comes back with the next power, with a hole behind it", () => {
  const folder = join(temporaryFolder(), "log");
  const log = openLog(folder);
  log.dropBefore(4);
  log.close();
  loseNames((path) => path === segmentPath(folder, 1));
  const again = openLog(folder);
  expect(again.start.segment).toBe(4);
  again.close();
});

test("what a log copy was cut by does not come back behind what was written since", () => {
  const folder = join(temporaryFolder(), "copy");
  const copy = LogCopy.open({ folder });
  copy.append(copy.end, Buffer.from("first."), { segment: 2, offset: 0 });
  copy.append(copy.end, Buffer.from("of a record that was not whole."), { segment: 2, offset: 31 });
  copy.sync();
  copy.truncate({ segment: 1, offset: 6 });
  copy.append(copy.end, Buffer.from("second."), { segment: 1, offset: 13 });
  copy.sync();
  copy.close();
  loseNames();
  const again = LogCopy.open({ folder });
  expect(again.end).toEqual({ segment: 1, offset: 13 });
  again.close();
});
