import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { DriverName } from "../shared/sqlite/driver.ts";
import { temporaryFolder } from "../test/harness/folder.ts";
import { shell } from "../test/harness/shell.ts";
import { openPrimary } from "./primary.ts";

interface Database {
  exec(sql: string): void;
}

test.each<DriverName>(["node:sqlite", "better-sqlite3"])(
  "%s: a connection to a file that was replaced fails loudly, and the next one is to the new file",
  async (driver) => {
    const folder = temporaryFolder();
    const file = join(folder, "app.db");
    await using primary = await openPrimary<Database>({ file, driver });
    const said: string[] = [];
    primary.on("message", (text) => said.push(text));
    const kept = primary.database;
    kept.exec("CREATE TABLE old (x)");
    await primary.durable();

    const backup = join(folder, "backup.db");
    shell(backup, "PRAGMA journal_mode=WAL; CREATE TABLE restored (x);");
    execFileSync("sh", ["-c", `rm ${file} ${file}-wal ${file}-shm`]);
    expect(() => primary.database).toThrow(expect.objectContaining({ code: "not_ready", retryable: true }));
    expect(() => kept.exec("INSERT INTO old VALUES (1)")).toThrow(/not open/);

    execFileSync("mv", [backup, file]);
    primary.database.exec("INSERT INTO restored VALUES (1)");
    expect(() => kept.exec("INSERT INTO old VALUES (1)")).toThrow(/not open/);
    await expect.poll(() => said.join("\n"), { timeout: 10_000, interval: 20 }).toContain("a new log begins");
    // Said while it begins: until it has, durability is refused as retryable.
    const durable = (): Promise<string> =>
      primary.durable().then(
        () => "durable",
        ({ code }: { code: string }) => code,
      );
    await expect.poll(durable, { timeout: 10_000, interval: 20 }).toBe("durable");
    expect(shell(file, "SELECT count(*) FROM restored")).toBe("1");
  },
);

test("nobody has to ask: a connection that was kept is closed by itself", async () => {
  const file = join(temporaryFolder(), "app.db");
  await using primary = await openPrimary({ file });
  const kept = primary.database;
  kept.exec("CREATE TABLE t (x)");
  execFileSync("sh", ["-c", `cp ${file} ${file}.copy; rm ${file}-wal ${file}-shm; mv ${file}.copy ${file}`]);
  await expect.poll(() => kept.isOpen, { timeout: 5000, interval: 20 }).toBe(false);
});
