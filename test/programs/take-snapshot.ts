/*
 * node take-snapshot.ts FILE SNAPSHOTS-FOLDER DRIVER
 *
 * Takes one snapshot of a database as it stands, without a log: for crash tests by TAILRACE_FAILPOINT.
 */
import type { DriverName } from "../../shared/sqlite/driver.ts";
import { snapshotNow } from "../harness/snapshot-now.ts";

const [, , file, folder, driver] = process.argv;
const { store, snapshot } = await snapshotNow(file!, folder!, driver as DriverName);
process.stdout.write(JSON.stringify({ snapshot, generations: store.list().length }));
process.exit(0);
