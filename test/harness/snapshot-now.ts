import { DatabaseView } from "../../shared/pages/database-view.ts";
import { runToEnd, scanView } from "../../shared/pages/scan.ts";
import type { SnapshotInfo } from "../../shared/serve/engine.ts";
import { SnapshotStore } from "../../shared/snapshots/snapshot-store.ts";
import { takeSnapshot } from "../../shared/snapshots/take-snapshot.ts";
import { loadDriver } from "../../shared/sqlite/driver.ts";
import type { Connection, DriverName } from "../../shared/sqlite/driver.ts";
import { holdFile } from "../../shared/sqlite/held-files.ts";
import { WalIndexFile } from "../../shared/sqlite/wal-index-file.ts";

/** Connections that keep `-wal` and `-shm` in place for the life of this process. */
const connections: Connection[] = [];

export const SUBJECT = {
  txid: 7,
  cursor: { segment: 2, offset: 80 },
  logId: "0123456789abcdef0123456789abcdef",
  epoch: 1,
  createdMs: 1_700_000_000_000,
};

/** A view of the newest state of a database; this process stays connected to it. */
export async function viewNow(file: string, driverName: DriverName = "node:sqlite"): Promise<DatabaseView> {
  const driver = await loadDriver(driverName);
  const connection = driver.open(file);
  connections.push(connection);
  connection.exec("PRAGMA wal_autocheckpoint=0");
  connection.row("SELECT count(*) FROM sqlite_schema");
  const index = new WalIndexFile(holdFile(`${file}-shm`));
  return DatabaseView.open({ driver, file, databaseDescriptor: holdFile(file), index });
}

/** Takes a snapshot of a database as it stands, without a log. */
export async function snapshotNow(
  file: string,
  folder: string,
  driverName?: DriverName,
): Promise<{ store: SnapshotStore; snapshot: SnapshotInfo }> {
  const view = await viewNow(file, driverName);
  try {
    const store = SnapshotStore.open(folder);
    const databaseChecksum = runToEnd(scanView(view, () => {}));
    const snapshot = await takeSnapshot(store, { ...SUBJECT, view, databaseChecksum });
    return { store, snapshot };
  } finally {
    view.close();
  }
}
