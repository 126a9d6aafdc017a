import { setImmediate } from "node:timers/promises";
import type { DatabaseView } from "../shared/pages/database-view.ts";
import type { PageTable } from "../shared/pages/page-table.ts";
import { differingPages } from "../shared/pages/scan.ts";
import type { Recorder } from "./recorder.ts";

/** Runs a scan to its end, letting other work of the thread run after each slice. @returns what the scan returns */
export async function inSlices<T>(scan: Generator<unknown, T, void>): Promise<T> {
  for (;;) {
    const step = scan.next();
    if (step.done) return step.value;
    await setImmediate();
  }
}

/**
 * Records what has changed since the page table's state, as one transaction.
 *
 * @returns the number of pages that differ; with 0, and the same size, nothing was recorded
 */
export async function recordDifference(
  view: DatabaseView,
  table: PageTable,
  recorder: Recorder,
): Promise<number> {
  let pages = 0;
  // Recording a page enters it in the table, always behind the place where the comparison is.
  const scan = differingPages(view, table, (pageNumber, _hash, image) => {
    recorder.frame(pageNumber, image);
    pages += 1;
  });
  await inSlices(scan);
  if (pages > 0 || view.pageCount !== table.pageCount) recorder.commitDifference(view.pageCount, view.mark);
  return pages;
}
