import { fdatasync, openSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";

vi.mock(import("node:fs"), { spy: true });

test("bytes that a sync has failed for meanwhile are not called durable, though the last sync succeeds", async () => {
  vi.mocked(fdatasync).mockImplementationOnce((_descriptor, callback) =>
    callback(Object.assign(new Error("EIO: i/o error"), { code: "EIO" })),
  );
  const { BackgroundSync } = await import("./background-sync.ts");
  const file = join(temporaryFolder(), "image");
  const sync = new BackgroundSync(file, openSync(file, "w"));
  await sync.wrote(64 << 20);
  await expect(sync.finish()).rejects.toMatchObject({ code: "storage_failed" });
  await sync.close();
});
