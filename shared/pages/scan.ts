import { hashPage } from "../format/page-hash.ts";
import { lockPage } from "../units.ts";
import type { DatabaseChecksum, PageNumber } from "../units.ts";
import type { DatabaseView } from "./database-view.ts";
import type { PageTable } from "./page-table.ts";

/** What is read at once, and hashed between two chances to do something else. */
const SLICE_BYTES = 1 << 20;

/** The image is good until the call returns. */
export type OnPage = (pageNumber: PageNumber, hash: bigint, image: Buffer) => void;

/**
 * Reads and hashes every page of a view but the lock page, in order. A generator, so that the caller can see to other
 * things (or close the view and stop) after each slice of at most 1 MiB.
 *
 * @yields the number of the last page done
 * @returns the database checksum of the view
 */
export function* scanView(view: DatabaseView, onPage: OnPage): Generator<PageNumber, DatabaseChecksum, void> {
  const { pageSizeBytes, pageCount } = view;
  const slicePages = SLICE_BYTES / pageSizeBytes;
  const buffer = Buffer.allocUnsafeSlow(SLICE_BYTES);
  const unhashed = lockPage(pageSizeBytes);
  let checksum = 0n;
  for (let first = 1; first <= pageCount; first += slicePages) {
    const count = Math.min(slicePages, pageCount - first + 1);
    view.readRun(first, count, buffer.subarray(0, count * pageSizeBytes));
    for (let position = 0; position < count; position++) {
      const pageNumber = first + position;
      if (pageNumber === unhashed) continue;
      const image = buffer.subarray(position * pageSizeBytes, (position + 1) * pageSizeBytes);
      const hash = hashPage(pageNumber, image);
      checksum ^= hash;
      onPage(pageNumber, hash, image);
    }
    yield first + count - 1;
  }
  return checksum;
}

/**
 * Finds the pages of a view whose hash is not the table's; the table stays as it is. Pages that the table has beyond
 * the view's end are not named: resizing the table to the view's size drops them.
 *
 * @yields the number of the last page compared
 * @returns the database checksum of the view
 */
export function* differingPages(
  view: DatabaseView,
  table: PageTable,
  onDifference: OnPage,
): Generator<PageNumber, DatabaseChecksum, void> {
  return yield* scanView(view, (pageNumber, hash, image) => {
    if (table.get(pageNumber) !== hash) onDifference(pageNumber, hash, image);
  });
}

/** Makes the table that of the view: every entry, and the size. It is not flushed. */
export function* fillTable(
  table: PageTable,
  view: DatabaseView,
): Generator<PageNumber, DatabaseChecksum, void> {
  const checksum = yield* scanView(view, (pageNumber, hash) => table.set(pageNumber, hash));
  if (lockPage(view.pageSizeBytes) <= view.pageCount) table.set(lockPage(view.pageSizeBytes), 0n);
  table.resize(view.pageCount);
  return checksum;
}

/** Runs a scan to its end without a pause. @returns what the scan returns */
export function runToEnd<T>(scan: Generator<unknown, T, void>): T {
  for (;;) {
    const step = scan.next();
    if (step.done) return step.value;
  }
}
