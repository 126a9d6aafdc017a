import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { asLesserUser } from "../../test/harness/lesser-user.ts";
import { holdForReading } from "../examination/offline-folder.ts";
import { loadDriver } from "../sqlite/driver.ts";
import type { DriverName } from "../sqlite/driver.ts";
import { DataFolder } from "./data-folder.ts";

const MODULE = resolve(import.meta.dirname, "data-folder.ts");
const DRIVER_MODULE = resolve(import.meta.dirname, "../sqlite/driver.ts");

/** A program that takes the folder, says so, and holds it until it is killed; or prints the error's code. */
function holder(path: string, driver: DriverName): string[] {
  return [
    "--input-type=module",
    "-e",
    `
    const { DataFolder } = await import(${JSON.stringify(MODULE)});
    const { loadDriver } = await import(${JSON.stringify(DRIVER_MODULE)});
    try {
      DataFolder.open(${JSON.stringify(path)}, await loadDriver(${JSON.stringify(driver)}));
      console.log("held");
      setInterval(() => globalThis.gc?.(), 10);
    } catch (error) {
      console.log(error.code);
    }`,
  ];
}

test.each(["node:sqlite", "better-sqlite3"] as const)(
  "one process holds the folder until it dies, even by SIGKILL (%s)",
  async (name) => {
    const path = join(temporaryFolder(), "app.db-tailrace");
    const child = spawn(process.execPath, ["--expose-gc", ...holder(path, name)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [first] = (await once(child.stdout, "data")) as [Buffer];
    expect(first.toString()).toBe("held\n");
    const driver = await loadDriver(name);
    expect(() => DataFolder.open(path, driver)).toThrow(
      expect.objectContaining({ code: "data_folder_in_use" }),
    );
    child.kill("SIGKILL");
    await once(child, "exit");
    DataFolder.open(path, driver).close();
  },
);

test("a second holder in the same process is refused, by another spelling of the path too", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "data");
  const driver = await loadDriver("node:sqlite");
  const held = DataFolder.open(path, driver);
  for (const spelling of [path, `${folder}/../${folder.split("/").at(-1)}/data/`]) {
    expect(() => DataFolder.open(spelling, driver)).toThrow(
      expect.objectContaining({ code: "data_folder_in_use" }),
    );
  }
  execFileSync("ln", ["-s", path, join(folder, "link")]);
  expect(() => DataFolder.open(join(folder, "link"), driver)).toThrow(
    expect.objectContaining({ code: "data_folder_in_use" }),
  );
  held.close();
  DataFolder.open(path, driver).close();
});

test("the folder is made, but not the folder around it", async () => {
  const folder = temporaryFolder();
  const driver = await loadDriver("node:sqlite");
  const missing = join(folder, "missing");
  expect(() => DataFolder.open(join(missing, "data"), driver)).toThrow(
    expect.objectContaining({ code: "folder_missing", message: expect.stringContaining(missing) }),
  );
  expect(existsSync(missing)).toBe(false);
});

test("a file in its place is refused, and left as it is", async () => {
  const path = join(temporaryFolder(), "data");
  writeFileSync(path, "mine");
  const driver = await loadDriver("node:sqlite");
  expect(() => DataFolder.open(path, driver)).toThrow(expect.objectContaining({ code: "storage_failed" }));
});

test("a folder that this user cannot write is read_only", () => {
  const folder = temporaryFolder();
  const path = join(folder, "data");
  mkdirSync(path);
  chmodSync(path, 0o555);
  chmodSync(folder, 0o555);
  for (const target of [path, join(folder, "new")]) {
    const { command, args } = asLesserUser(process.execPath, holder(target, "node:sqlite"));
    const tried = spawnSync(command, args, { encoding: "utf8" });
    expect(tried.stdout, tried.stderr).toBe("read_only\n");
  }
  chmodSync(folder, 0o755);
});

test("something else than the empty file of a lock is refused: a lock on it might keep nobody out", async () => {
  const path = join(temporaryFolder(), "app.db-tailrace");
  mkdirSync(path);
  writeFileSync(join(path, "lock.db"), "not empty");
  const driver = await loadDriver("node:sqlite");
  expect(() => DataFolder.open(path, driver)).toThrow(expect.objectContaining({ code: "damaged" }));
  expect(() => holdForReading(path, driver)).toThrow(expect.objectContaining({ code: "damaged" }));
});
