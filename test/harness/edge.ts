import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect } from "vitest";
import { startFollowing } from "../../replica/follow-thread.ts";
import type { FollowOptions, FollowThread } from "../../replica/follow-thread.ts";
import { LogPrimary } from "./log-primary.ts";
import { shell } from "./shell.ts";

/** A primary and the file of a replica of it, with the replica in this process. */
export class Edge {
  readonly primary: LogPrimary;
  readonly file: string;
  readonly messages: string[] = [];
  private readonly folder: string = mkdtempSync(path.join(os.tmpdir(), "tailrace-edge-"));
  private readonly options: Partial<FollowOptions>;
  private running: FollowThread | undefined;

  constructor(options: Partial<FollowOptions> = {}, pageSizeBytes = 4096) {
    this.options = options;
    this.primary = new LogPrimary(path.join(this.folder, "primary"), { pageSizeBytes });
    this.file = path.join(this.folder, "edge.db");
  }

  get replica(): FollowThread {
    if (this.running === undefined) throw new Error("not started");
    return this.running;
  }

  async start(): Promise<FollowThread> {
    const replica = await startFollowing({
      primary: this.primary.url,
      file: this.file,
      dataDir: `${this.file}-tailrace`,
      driverName: "node:sqlite",
      durability: "os",
      onForeignWrite: "stop",
      ...this.options,
    });
    replica.on("message", (text) => this.messages.push(text));
    this.running = replica;
    return replica;
  }

  async stop(): Promise<void> {
    await this.running?.close();
    this.running = undefined;
  }

  /** Ends the replica, and compares the files byte for byte, in another process. */
  async expectIdentical(): Promise<void> {
    await this.stop();
    this.primary.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    shell(this.file, "PRAGMA wal_checkpoint(TRUNCATE)");
    execFileSync("cmp", [this.primary.file, this.file]);
    expect(shell(this.file, "PRAGMA integrity_check")).toBe("ok");
  }

  async close(): Promise<void> {
    await this.stop();
    await this.primary.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
