import { loadDriver } from "../../shared/sqlite/driver.ts";
import type { DriverName } from "../../shared/sqlite/driver.ts";
import { WalAppender } from "../../shared/sqlite/wal-appender.ts";
import { readCommits } from "../harness/source-database.ts";

/*
 * append-commits SOURCE TARGET DRIVER: brings TARGET, which stands at some n of the table `spread`, up to SOURCE by
 * appending the rest of its commits, and prints each n when it is published.
 */
const [source = "", target = "", driverName = "node:sqlite"] = process.argv.slice(2);
const driver = await loadDriver(driverName as DriverName);
const appender = new WalAppender({ driver, file: target });
const reader = driver.open(target);
const reached = reader.row("SELECT n FROM spread")?.[0] as number;
reader.close();

readCommits(source)
  .slice(reached)
  .forEach(({ pages, databasePageCount }, index) => {
    appender.begin();
    for (const { pageNumber, image } of pages) appender.append(pageNumber, image);
    appender.commit({ databasePageCount, isDurable: false });
    process.stdout.write(`${reached + index + 1}\n`);
  });
appender.close();
