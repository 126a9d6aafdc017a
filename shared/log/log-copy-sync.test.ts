import { fdatasyncSync, fstatSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { LogCopy } from "./log-copy.ts";
import { segmentPath } from "./segment-files.ts";

vi.mock(import("node:fs"), { spy: true });

test("a sync puts every segment on the disk that was written since the last one", () => {
  const folder = join(temporaryFolder(), "log");
  const copy = LogCopy.open({ folder });
  const synced = new Set<number>();
  vi.mocked(fdatasyncSync).mockImplementation((descriptor) => synced.add(fstatSync(descriptor).ino));
  const bytes = Buffer.alloc(100);
  copy.append({ segment: 1, offset: 0 }, bytes, { segment: 2, offset: 0 });
  copy.append({ segment: 2, offset: 0 }, bytes, { segment: 3, offset: 0 });
  copy.append({ segment: 3, offset: 0 }, bytes, { segment: 3, offset: 100 });
  expect(synced.size).toBe(0);
  copy.sync();
  const files = [1, 2, 3].map((segment) => statSync(segmentPath(folder, segment)).ino);
  expect([...synced]).toEqual(files);

  synced.clear();
  copy.append({ segment: 3, offset: 100 }, bytes, { segment: 3, offset: 200 });
  copy.sync();
  expect([...synced]).toEqual(files.slice(2));
  copy.close();
});
