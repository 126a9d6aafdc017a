import { setImmediate as turn } from "node:timers/promises";
import { hashPage } from "../shared/format/page-hash.ts";
import type { StatePoint } from "../shared/format/position.ts";
import { FragmentReader } from "../shared/log/fragment-reader.ts";
import type { DatabaseView } from "../shared/pages/database-view.ts";
import type { PageTable } from "../shared/pages/page-table.ts";
import { fillTable } from "../shared/pages/scan.ts";

/** Makes the page table that of a view, by reading every page. Gives way to other work after each megabyte. */
export async function scanInto(table: PageTable, view: DatabaseView): Promise<void> {
  for (const _ of fillTable(table, view)) await turn();
}

/**
 * Brings the entries of a page table from its mark up to a later state, by the log alone. Entries that were already
 * ahead stay so, until the log reaches what set them.
 */
export async function replayInto(table: PageTable, logFolder: string, to: StatePoint): Promise<void> {
  const reader = new FragmentReader({ folder: logFolder, start: table.mark.cursor, end: () => to.cursor });
  try {
    for (let placed = reader.next(); placed !== undefined; placed = reader.next()) {
      const { pageNumbers, images, pageSizeBytes, databasePageCount } = placed.fragment;
      pageNumbers.forEach((page, index) =>
        table.set(page, hashPage(page, images.subarray(index * pageSizeBytes, (index + 1) * pageSizeBytes))),
      );
      if (databasePageCount > 0) table.resize(databasePageCount);
      await turn();
    }
  } finally {
    reader.close();
  }
}
