import { attachDatabase } from "../../primary/attached-database.ts";
import { Capture } from "../../primary/capture.ts";
import type { CaptureOptions } from "../../primary/capture.ts";
import { driver } from "../../shared/sqlite/node-sqlite.ts";
import { UNKNOWN_BOOT } from "../../shared/storage/boot-id.ts";
import { DataFolder } from "../../shared/storage/data-folder.ts";

/** A capture in this thread that does nothing by itself, with all that it holds. Rejects as {@link Capture.open} does. */
export async function openCapture(
  outside: { readonly file: string; readonly dataDir: string },
  options: Partial<CaptureOptions> = {},
): Promise<{ readonly capture: Capture; readonly close: () => void }> {
  const database = attachDatabase(driver, outside.file);
  const folder = DataFolder.open(outside.dataDir, driver);
  const release = (): void => {
    database.connection.close();
    folder.close();
  };
  try {
    const capture = await Capture.open({
      database,
      folder,
      durability: "group",
      bootId: UNKNOWN_BOOT,
      segmentSizeBytes: 1 << 20,
      clock: () => 1_700_000_000_000,
      say: () => {},
      isNewDatabase: false,
      ...options,
    });
    const close = (): void => {
      capture.close();
      release();
    };
    return { capture, close };
  } catch (error) {
    release();
    throw error;
  }
}
