import { execFileSync } from "node:child_process";
import { ftruncateSync, openSync, closeSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { startCapture } from "../../primary/capture-thread.ts";
import type { CaptureOptions, CaptureThread } from "../../primary/capture-thread.ts";
import { hashPage } from "../../shared/format/page-hash.ts";
import type { Fragment } from "../../shared/format/record.ts";
import { FragmentReader } from "../../shared/log/fragment-reader.ts";
import type { PrimaryEngineStatus } from "../../shared/status.ts";
import { hex64, lockPage } from "../../shared/units.ts";
import { temporaryFolder } from "./folder.ts";

/** Each takes a tenth of a second, where it is not answered. */
const MAX_QUESTIONS = 100;

/**
 * A database that processes outside of ours write, and a capture that follows them: with the proof that the log,
 * applied to the state that it began from, makes the very file that SQLite makes.
 */
export class CapturedDatabase {
  readonly file: string;
  readonly dataDir: string;
  readonly messages: string[] = [];
  /** A copy of the database as it was when the log began. */
  private readonly replayed: string;
  private readonly options: Partial<CaptureOptions>;
  private running: CaptureThread | undefined;

  constructor(options: Partial<CaptureOptions> = {}, folder: string = temporaryFolder()) {
    this.options = options;
    this.file = join(folder, "app.db");
    this.dataDir = `${this.file}-tailrace`;
    this.replayed = join(folder, "replayed.db");
    onTestFinished(() => this.stop());
  }

  get capture(): CaptureThread {
    if (this.running === undefined) throw new Error("not started");
    return this.running;
  }

  async start(): Promise<void> {
    this.running = await startCapture({
      file: this.file,
      dataDir: this.dataDir,
      driverName: "node:sqlite",
      durability: "os",
      ...this.options,
    });
    this.running.on("message", (text) => this.messages.push(text));
    this.running.on("failed", (error) => this.messages.push(`failed: ${error.message}`));
    this.running.on("trouble", (error) => error && this.messages.push(`trouble: ${error.message}`));
  }

  async stop(): Promise<void> {
    await this.running?.close();
    this.running = undefined;
  }

  /** Keeps the database as it is now for {@link prove}. Nothing may be in a WAL. */
  keepStart(): void {
    execFileSync("cp", [this.file, this.replayed]);
  }

  /** As of now: a thread that the machine does not let run in time answers a later question. */
  async status(): Promise<PrimaryEngineStatus> {
    const askedMs = Date.now();
    for (let tries = 1; ; tries++) {
      const status = this.capture.status();
      if (status.asOfMs >= askedMs || tries === MAX_QUESTIONS) return status;
    }
  }

  /** Runs Python with `c`, a connection in autocommit mode; without the modules of the machine, which take longer to find. */
  python(lines: string): string {
    const prologue = `import sqlite3, sys, os\nc = sqlite3.connect(${JSON.stringify(this.file)}, isolation_level=None, timeout=20)\n`;
    return execFileSync("python3", ["-I", "-S", "-c", prologue + lines], { encoding: "utf8" });
  }

  shell(...commands: string[]): string {
    return execFileSync("sqlite3", [this.file, ".timeout 20000", ...commands], { encoding: "utf8" });
  }

  /** Every fragment of the log. Its images are copies. */
  fragments(): Fragment[] {
    const fragments: Fragment[] = [];
    this.eachFragment((fragment) => fragments.push({ ...fragment, images: Buffer.alloc(0) }));
    return fragments;
  }

  eachFragment(visit: (fragment: Fragment) => void): void {
    const segments = execFileSync("ls", [join(this.dataDir, "log")], { encoding: "utf8" })
      .trim()
      .split("\n");
    const last = segments.at(-1)!;
    const size = Number(
      execFileSync("stat", ["-c", "%s", join(this.dataDir, "log", last)], { encoding: "utf8" }),
    );
    const reader = new FragmentReader({
      folder: join(this.dataDir, "log"),
      start: { segment: Number.parseInt(segments[0]!, 16), offset: 0 },
      end: () => ({ segment: Number.parseInt(last, 16), offset: size }),
    });
    for (let placed = reader.next(); placed !== undefined; placed = reader.next()) visit(placed.fragment);
    reader.close();
  }

  /**
   * Proves: log applied to the start = checkpointed database, byte for byte; and its checksum, computed from all pages,
   * is the one at the log's head.
   *
   * @param isSound whether SQLite finds no fault with it; a database made by hand may have pages that nothing uses
   * @returns the head's txid
   */
  async prove({ isSound = true }: { readonly isSound?: boolean } = {}): Promise<number> {
    const { txid } = await this.capture.durable();
    const checkpoint = await this.capture.checkpoint();
    if (!checkpoint.isComplete) throw new Error("the checkpoint is not complete");
    const image = `${this.replayed}.now`;
    // In a process of its own, which keeps holes.
    execFileSync("cp", [this.replayed, image]);
    const descriptor = openSync(image, "r+");
    let head: Fragment | undefined;
    this.eachFragment((fragment) => {
      const { pageSizeBytes, images, databasePageCount } = fragment;
      fragment.pageNumbers.forEach((pageNumber, index) => {
        const start = index * pageSizeBytes;
        writeSync(descriptor, images, start, pageSizeBytes, (pageNumber - 1) * pageSizeBytes);
      });
      if (databasePageCount > 0) ftruncateSync(descriptor, databasePageCount * pageSizeBytes);
      head = { ...fragment, images: Buffer.alloc(0) };
    });
    closeSync(descriptor);
    execFileSync("cmp", [image, this.file]);
    const { database, log } = await this.status();
    if (log.headTxid !== txid) throw new Error(`head ${log.headTxid}, durable ${txid}`);
    if (head !== undefined && hex64(head.checksumAfter) !== database.checksum)
      throw new Error("another checksum");
    const scanned = checksumOfFile(image, database.pageSizeBytes);
    if (scanned !== database.checksum) throw new Error(`checksum ${database.checksum}, scanned ${scanned}`);
    rmSync(image);
    if (!isSound) return txid;
    const integrity = this.shell("PRAGMA integrity_check").trim();
    if (integrity !== "ok") throw new Error(integrity);
    return txid;
  }
}

/** Of a file that no connection of this process has open. */
export function checksumOfFile(file: string, pageSizeBytes: number): string {
  const descriptor = openSync(file, "r");
  const page = Buffer.alloc(pageSizeBytes);
  let checksum = 0n;
  for (let pageNumber = 1; readSync(descriptor, page, 0, pageSizeBytes, null) > 0; pageNumber++) {
    if (pageNumber !== lockPage(pageSizeBytes)) checksum ^= hashPage(pageNumber, page);
  }
  closeSync(descriptor);
  return hex64(checksum);
}
