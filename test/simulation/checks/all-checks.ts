import type { Change, Site } from "../world/site.ts";
import { AtomicityCheck } from "./atomicity.ts";
import { BoundsCheck } from "./bounds.ts";
import type { Acknowledgement, Check, Forgotten, Scene } from "./check.ts";
import { ContinuityCheck } from "./continuity.ts";
import { DeterminismCheck } from "./determinism.ts";
import { DurabilityCheck } from "./durability.ts";
import { FencingCheck } from "./fencing.ts";
import { IdempotenceCheck } from "./idempotence.ts";
import { LivenessCheck } from "./liveness.ts";
import { LocalFirstCheck } from "./local-first.ts";
import { MonotonyCheck } from "./monotony.ts";
import { NothingUnverifiedCheck } from "./nothing-unverified.ts";
import { OrderCheck } from "./order.ts";
import { RetentionCheck } from "./retention.ts";

/** The checkers of all invariants, one after the other. The first that finds something throws. */
export class AllChecks implements Check {
  readonly atomicity: AtomicityCheck;
  readonly localFirst: LocalFirstCheck;
  readonly liveness: LivenessCheck;
  readonly unverified: NothingUnverifiedCheck;
  private readonly bounds: BoundsCheck;
  private readonly scene: Scene;
  private readonly checks: readonly Check[];

  constructor(scene: Scene) {
    this.scene = scene;
    this.atomicity = new AtomicityCheck(scene);
    this.localFirst = new LocalFirstCheck(scene);
    this.unverified = new NothingUnverifiedCheck(scene);
    this.bounds = new BoundsCheck(scene);
    this.liveness = new LivenessCheck(scene);
    this.checks = [
      // The others rely on what this one enters in the history of the log.
      new OrderCheck(scene),
      new FencingCheck(),
      this.atomicity,
      new MonotonyCheck(scene),
      new IdempotenceCheck(scene),
      new DeterminismCheck(scene),
      new DurabilityCheck(scene),
      new ContinuityCheck(scene),
      new RetentionCheck(scene),
      this.localFirst,
      this.bounds,
    ];
  }

  changed(site: Site, change: Change): void {
    this.scene.counts.add("checks", this.checks.length);
    for (const check of this.checks) check.changed?.(site, change);
  }

  glanced(site: Site): void {
    this.scene.counts.add("looks between two system calls");
    for (const check of this.checks) check.glanced?.(site);
  }

  snapshots(site: Site): void {
    this.unverified.snapshots(site);
    this.bounds.snapshots(site);
  }

  acknowledged(acknowledgement: Acknowledgement): void {
    for (const check of this.checks) check.acknowledged?.(acknowledgement);
  }

  noticed(site: Site, name: string, fields: Readonly<Record<string, unknown>>): void {
    for (const check of this.checks) check.noticed?.(site, name, fields);
  }

  failed(site: Site, code: string, message: string): void {
    this.liveness.failed(site, code, message);
  }

  opened(site: Site): void {
    for (const check of this.checks) check.opened?.(site);
  }

  died(site: Site, how: "kill" | "power loss"): void {
    for (const check of this.checks) check.died?.(site, how);
  }

  forgot(site: Site, what: Forgotten): void {
    for (const check of this.checks) check.forgot?.(site, what);
  }

  stepped(): void {
    for (const check of this.checks) check.stepped?.();
  }

  ended(): void {
    for (const check of this.checks) check.ended?.();
  }
}
