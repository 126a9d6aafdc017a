import { mkdirSync } from "node:fs";
import { setTimeout as after } from "node:timers/promises";
import { currentBootId } from "../../../shared/storage/boot-id.ts";
import { Follower } from "../../../replica/follower.ts";
import type { FollowerStatus } from "../../../replica/follower-status.ts";
import { LocalReplica } from "../../../replica/local-replica.ts";
import { Receiver } from "../../../replica/receiver.ts";
import { SnapshotClient } from "../../../replica/snapshot-client.ts";
import { HttpTransport, parseNodeUrl } from "../../../replica/transport.ts";
import { EventLoopDelay } from "../../../shared/metrics/event-loop.ts";
import { ReplicaEngineMetrics } from "../../../shared/metrics/replica-engine.ts";
import { driver } from "../../../shared/sqlite/node-sqlite.ts";
import { replicaRoom } from "../../../shared/storage/disk-room.ts";

/** So much of a pause passes for real: what is to be seen is that there is one. */
const REAL_PAUSE_MS = 1;

/** A replica in this thread whose pauses are counted rather than waited for: its clock jumps ahead by them. */
export class FollowedReplica {
  readonly file: string;
  /** Pauses before another try, since the last {@link resetPauses}. */
  pauses = 0;
  /** What has ended it. */
  stoppedBy: string | undefined;
  private readonly follower: Follower;
  private readonly transport: HttpTransport;
  private readonly eventLoop: EventLoopDelay;
  private pausedMs = 0;
  private beforeMs = 0;

  constructor(file: string, url: string, keepFreeBytes: number) {
    this.file = file;
    const dataDir = `${file}-tailrace`;
    mkdirSync(dataDir, { recursive: true });
    this.eventLoop = new EventLoopDelay("fuzz", () => performance.now());
    const metrics = new ReplicaEngineMetrics(this.eventLoop, { maxBacklogBytes: 1 << 20 });
    const monotonicMs = (): number => performance.now() + this.pausedMs;
    const { replica: local, work } = LocalReplica.open({
      file,
      dataDir,
      driver,
      isDurable: false,
      seen: {},
      bootId: currentBootId(),
      room: replicaRoom(dataDir, file, { keepFreeBytes, nowMs: monotonicMs }),
      nowMs: monotonicMs,
      metrics,
      report: () => {},
      onApplied: (position) => this.follower.applied(position),
    });
    this.transport = new HttpTransport(parseNodeUrl(url));
    this.follower = new Follower({
      local,
      work,
      receiver: new Receiver({ transport: this.transport, replicaId: "fuzzed", isCompressed: true }),
      client: new SnapshotClient(this.transport, monotonicMs),
      source: url,
      replicaId: "fuzzed",
      file,
      onForeignWrite: "stop",
      wallMs: () => Date.now(),
      monotonicMs,
      random: () => 0.5,
      sleep: (ms, signal) => this.pause(ms, signal),
      metrics,
      events: {
        ready: () => {},
        rebuilt: () => {},
        settled: () => {},
        tended: () => {},
        state: () => {},
        notice: () => {},
        failed: (error) => (this.stoppedBy = error.code),
      },
    });
    this.follower.start();
  }

  get status(): FollowerStatus {
    return this.follower.status();
  }

  get checksum(): string | undefined {
    return this.status.position?.databaseChecksum;
  }

  /** What they came to. */
  get pauseMs(): number {
    return this.pausedMs - this.beforeMs;
  }

  resetPauses(): void {
    this.pauses = 0;
    this.beforeMs = this.pausedMs;
  }

  /** Its clock jumps ahead. */
  passTime(ms: number): void {
    this.pausedMs += ms;
  }

  async close(): Promise<void> {
    await this.follower.close();
    await this.transport.close();
    this.eventLoop.close();
  }

  private async pause(ms: number, signal: AbortSignal): Promise<void> {
    this.pauses += 1;
    this.pausedMs += ms;
    await after(REAL_PAUSE_MS, undefined, { signal }).catch(() => undefined);
  }
}
