import { createHash } from "node:crypto";
import { cpSync, lstatSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { startCapture } from "../../primary/capture-thread.ts";
import { listSegments, segmentPath } from "../../shared/log/segment-files.ts";
import { openPrimary } from "../../src/primary.ts";
import { openReplica } from "../../src/replica.ts";
import { shell } from "./shell.ts";

export const INSERTS: string = "INSERT INTO t(b) VALUES (zeroblob(3000));".repeat(20);
export const SEGMENT_SIZE_BYTES = 65_536;

/** Data folders as stopped nodes leave them, to be copied and spoilt. */
export class StoppedNodes {
  readonly home: string = mkdtempSync(join(tmpdir(), "tailrace-stopped-"));
  readonly primaryFile: string = join(this.home, "app.db");
  readonly replicaFile: string = join(this.home, "edge.db");

  /** A primary with 40 transactions in seven segments and two snapshots (at 0 and 20), and a replica that has 20 of them. */
  async make(): Promise<void> {
    const { primaryFile: file, replicaFile } = this;
    shell(file, "PRAGMA journal_mode=WAL; CREATE TABLE t (a INTEGER PRIMARY KEY, b)");
    const options = { file, segmentSizeBytes: SEGMENT_SIZE_BYTES };
    const primary = await openPrimary({ ...options, listen: { port: 0 } });
    const replica = await openReplica({ primary: primary.address!, file: replicaFile, id: "edge" });
    // It has landed before anything is written: its copy of the log begins at the beginning.
    await replica.sync();
    shell(file, INSERTS);
    await primary.durable();
    await replica.sync();
    await replica.close();
    await primary.close();
    const capture = await startCapture({
      ...options,
      dataDir: `${file}-tailrace`,
      driverName: "node:sqlite",
      durability: "os",
    });
    await capture.snapshot();
    shell(file, INSERTS);
    await capture.durable();
    await capture.close();
  }

  /** A copy of a data folder, until the test ends. */
  copyOf(file: string): string {
    const folder = mkdtempSync(join(tmpdir(), "tailrace-stopped-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const copy = join(folder, "app.db-tailrace");
    cpSync(`${file}-tailrace`, copy, { recursive: true });
    return copy;
  }

  remove(): void {
    rmSync(this.home, { recursive: true, force: true });
  }
}

export function flip(path: string, offset: number): void {
  const bytes = readFileSync(path);
  bytes[offset]! ^= 1;
  writeFileSync(path, bytes);
}

export function segment(dataFolder: string, number: number): string {
  return segmentPath(join(dataFolder, "log"), number);
}

export function newestSegment(dataFolder: string): string {
  return segment(dataFolder, Math.max(...listSegments(join(dataFolder, "log"))));
}

/** Every file and folder with its content, mode and times. Of the lock only the latter: reading it could let go of it. */
export function everything(folder: string): string {
  const names = [".", ...readdirSync(folder, { recursive: true, encoding: "utf8" }).toSorted()];
  return names
    .map((name) => {
      const path = join(folder, name);
      const { mode, size, mtimeNs, ctimeNs, ino } = lstatSync(path, { bigint: true });
      const isRead = lstatSync(path).isFile() && !name.endsWith("lock.db");
      const content = isRead ? createHash("sha256").update(readFileSync(path)).digest("hex") : "";
      return [name, mode, size, mtimeNs, ctimeNs, ino, content].join(" ");
    })
    .join("\n");
}
