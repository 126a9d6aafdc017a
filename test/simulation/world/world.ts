import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { AllChecks } from "../checks/all-checks.ts";
import type { Scene } from "../checks/check.ts";
import { Machine } from "../core/machine.ts";
import { SimulatedProcess, runIn, runOutside } from "../core/process.ts";
import { Random } from "../core/random.ts";
import { Scheduler } from "../core/scheduler.ts";
import { heedUncaught } from "../core/uncaught.ts";
import { DatabaseSync } from "../edges/sqlite.ts";
import { Network } from "../network/network.ts";
import type { Primary } from "../../../src/primary.ts";
import { Application } from "./application.ts";
import { Counts } from "./counts.ts";
import { LogHistory } from "./log-history.ts";
import { makeDatabase } from "./make-database.ts";
import type { NodeEvents } from "./node.ts";
import { Oracle } from "./oracle.ts";
import type { Settings } from "./settings.ts";
import { Site } from "./site.ts";
import { transfer } from "./transactions.ts";

/** A node that failed is started again by whoever looks after it. */
const RESTART_MS = 1_000;
const PORT = 4800;

export interface WorldOptions {
  readonly seed: string;
  readonly settings: Settings;
  /** Empty, and not on a disk that is slow. */
  readonly folder: string;
}

/** A database with its application, a primary and its replicas, each on a machine of its own, and what is known of them. */
export class World implements Scene {
  readonly settings: Settings;
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly oracle: Oracle = new Oracle();
  readonly history: LogHistory = new LogHistory();
  readonly counts: Counts = new Counts();
  readonly application: Application;
  readonly primary: Site;
  readonly replicas: readonly Site[];
  readonly checks: AllChecks;
  /** The first promise that was broken, or whatever else went wrong. */
  failure: Error | undefined;
  /** Copies of the primary's database, as an operator would have made them. */
  readonly backups: Buffer[] = [];
  /** There has been another primary. */
  hasTakenOver = false;
  /** To be called when a primary that was replaced is to go again; undefined while there is none. */
  endStale: (() => void) | undefined;
  /** All misfortune is over. */
  isCalm = false;
  /** No node comes back by itself any more. */
  isClosing = false;
  private readonly glances: Random;
  private isGlancing = false;
  private readonly byMachine = new Map<Machine, Site[]>();

  constructor({ seed, settings, folder }: WorldOptions) {
    this.settings = settings;
    this.random = new Random(`${seed}/world`);
    this.glances = this.random.fork("glances");
    this.scheduler = new Scheduler();
    heedUncaught(this.scheduler);
    this.network = new Network(this.scheduler, this.random.fork("network"));
    const file = join(folder, "primary", "app.db");
    mkdirSync(join(folder, "primary"));
    const content = makeDatabase(file, settings);
    this.checks = new AllChecks(this);
    this.primary = this.makePrimary(file);
    this.primary.image.refresh();
    const { checksum, pageCount } = this.primary.image;
    this.oracle.commit({ checksum, pageCount, ...content });
    this.replicas = settings.replicas.map((_, index) => this.makeReplica(folder, index));
    this.application = new Application({
      machine: this.primary.machine,
      file,
      settings,
      oracle: this.oracle,
      counts: this.counts,
      image: this.primary.image,
      isStale: () => this.primary.isStale,
      wrote: (refusedWith) => this.checks.localFirst.wrote(refusedWith),
    });
  }

  get sites(): readonly Site[] {
    return [this.primary, ...this.replicas];
  }

  get nowMs(): number {
    return this.scheduler.nowMs;
  }

  isBusierThan(events: number): boolean {
    return this.scheduler.hasMoreThan(events);
  }

  get isHeldUp(): boolean {
    return this.application.isInTransaction || this.primary.holder.isHolding;
  }

  start(): void {
    this.startApplication();
    for (const site of this.sites) site.node.start();
  }

  /** Starts what runs on the primary's machine. */
  resume(delayMs: number): void {
    this.after(delayMs, "primary starts", () => {
      this.primary.restartMs = undefined;
      this.primary.node.start();
      this.startApplication();
    });
  }

  startApplication(): void {
    if (this.primary.isStale) return;
    this.guard(() => this.application.start(() => new SimulatedProcess("application", this.primary.machine)));
  }

  /** One event, and a look at what it has changed. @returns what it was */
  async step(): Promise<string | undefined> {
    const what = await this.scheduler.step();
    this.guard(() => this.look());
    return what;
  }

  /** At a later time, unless the run has failed by then. */
  after(delayMs: number, what: string, run: () => void): void {
    this.scheduler.after(delayMs, what, undefined, () => this.guard(run));
  }

  /** Runs it; what it throws is what the run has come to. */
  guard(run: () => void): void {
    if (this.failure !== undefined) return;
    try {
      run();
    } catch (error) {
      this.failure ??= error instanceof Error ? error : new Error(String(error));
    }
  }

  /** The application asks the primary whether all that it has committed is durable. */
  acknowledge(): void {
    if (this.primary.isStale) return;
    // While the application was down, the node may have put back what a loss of power took.
    this.application.note();
    const place = this.oracle.end;
    const answer = this.primary.node.use((handle) => (handle as Primary).durable());
    void answer?.then(
      ({ txid, cursor }) => this.guard(() => this.checks.acknowledged({ txid, ...cursor, place })),
      () => this.counts.add("acknowledgements refused"),
    );
  }

  hold(site: Site): void {
    if (site.isOpen) this.checks.atomicity.hold(site);
  }

  release(site: Site): void {
    site.holder.release();
  }

  lookAgain(): void {
    for (const site of this.replicas) this.checks.atomicity.lookAgain(site);
  }

  /** Kills the node now, and starts it again later. */
  kill(site: Site, downMs: number): void {
    site.restartMs = downMs;
    site.node.kill();
  }

  /** All that runs on the machine is gone, with what was not synced. */
  losePower(site: Site, downMs: number): void {
    site.restartMs = downMs;
    site.closeReaders();
    site.isReadable = false;
    this.checks.died(site, "power loss");
    const floor = site.position?.floor;
    const logId = site.position?.logId;
    site.machine.powerLoss();
    site.forget();
    // What is on disk by its own word: that, at least, is there when it comes back.
    if (floor !== undefined && logId !== undefined)
      site.place = Math.min(site.place, this.history.find(logId, floor.txid)?.place ?? 0);
    if (site !== this.primary) return;
    this.application.kill();
    this.after(Math.max(0, downMs + (this.random.chance(0.5) ? 50 : -50)), "application starts", () =>
      this.startApplication(),
    );
  }

  /** The machines of a replica and of the node that it asks; undefined where there is no replica. */
  pickLink(random: Random): readonly [Machine, Machine] | undefined {
    const follower = this.settings.replicas[random.int(this.replicas.length)];
    const [from, to] = [follower?.name, follower?.follows].map((name) =>
      this.sites.find((site) => site.name === name),
    );
    return from === undefined || to === undefined ? undefined : [from.machine, to.machine];
  }

  /** Closes the node in order, and starts it again later. */
  stop(site: Site): void {
    this.counts.add("orderly stops");
    site.node.stop();
  }

  /** Somebody else's process writes to the replica's file. */
  writeForeign(site: Site, sql: string): void {
    const stranger = new SimulatedProcess("stranger", site.machine);
    try {
      runIn(stranger, () => {
        const database = new DatabaseSync(site.file);
        database.exec(sql);
        database.close();
      });
    } catch {
      this.counts.add("foreign writes refused");
    }
    stranger.kill();
  }

  /** All misfortune is over, and whoever is down comes back. */
  calm(): void {
    this.isCalm = true;
    this.endStale?.();
    this.network.healAll();
    for (const site of this.sites) {
      const { machine, node } = site;
      machine.disk.faults.heal();
      machine.clock.drift = 1;
      site.holder.release();
      node.process?.dieAtCrossing(Number.POSITIVE_INFINITY);
      if (site.isForeign) this.removeReplica(site);
      node.start();
    }
    this.application.process?.dieAtCrossing(Number.POSITIVE_INFINITY);
    this.startApplication();
    this.application.end(false);
    this.application.transact(this.random, transfer);
  }

  /**
   * What an operator does where followers go on to say that the log they are sent is damaged: who sends it cannot know of that
   * while it runs. @returns whether there was anybody
   */
  repairSpoilt(): boolean {
    const spoilt = this.sites.filter(({ isSpoilt }) => isSpoilt);
    for (const site of spoilt) {
      this.counts.add("repairs of a spoilt log");
      site.isSpoilt = false;
      if (site === this.primary) this.kill(site, 0);
      else this.removeReplica(site);
      site.node.start();
    }
    return spoilt.length > 0;
  }

  /** What its hint tells an operator to do with a replica that somebody has written to. */
  removeReplica(site: Site): void {
    site.node.kill();
    site.closeReaders();
    site.isReadable = false;
    site.isForeign = false;
    site.isFresh = true;
    for (const suffix of ["", "-wal", "-shm"]) site.machine.disk.remove(`${site.file}${suffix}`);
    site.machine.disk.remove(site.dataDir);
    site.forget();
    this.checks.forgot(site, "everything");
  }

  /** Everything ends in order: the nodes, and then the application. */
  close(): void {
    this.isClosing = true;
    for (const site of this.sites) {
      site.closeReaders();
      site.node.stop();
    }
  }

  get isClosed(): boolean {
    return this.sites.every(({ node }) => node.process === undefined);
  }

  /** What has changed since the last look, everywhere. */
  look(): void {
    for (const [machine, sites] of this.byMachine) {
      const changed = machine.disk.takeChanged();
      if (changed.size > 0) for (const site of sites) this.lookAt(site, changed);
    }
    this.checks.stepped();
  }

  private lookAt(site: Site, changed: ReadonlySet<string>): void {
    const before = site.log.logId;
    const change = site.refresh(changed);
    if (site.isStale && before !== undefined && site.log.logId !== before)
      site.faults.add("another log of a stale primary");
    if (site === this.primary && !this.application.note()) this.checks.localFirst.foreignState();
    if (change.isImage || change.isLog || change.isPosition) this.checks.changed(site, change);
    const snapshots = join(site.dataDir, "snapshots");
    if ([...changed].some((path) => path.startsWith(snapshots))) this.checks.snapshots(site);
  }

  private makePrimary(file: string): Site {
    const machine = this.makeMachine("primary", join(file, ".."));
    const settings = { file, listen: { port: PORT, host: "127.0.0.1" }, ...this.settings.primary };
    return this.makeSite({ name: "primary", machine, options: { role: "primary", settings } });
  }

  private makeReplica(folder: string, index: number): Site {
    const { name, follows, host, durability, onForeignWrite } = this.settings.replicas[index]!;
    mkdirSync(join(folder, name));
    const machine = this.makeMachine(name, join(folder, name));
    const settings = {
      file: join(folder, name, "edge.db"),
      primary: `http://${host}:${this.portOf(follows)}`,
      listen: { port: this.portOf(name), host: "127.0.0.1" },
      id: name,
      durability,
      onForeignWrite,
      ...this.settings.feed,
    };
    return this.makeSite({ name, machine, options: { role: "replica", settings } });
  }

  private portOf(name: string): number {
    return PORT + 1 + this.settings.replicas.findIndex((replica) => replica.name === name);
  }

  private makeMachine(name: string, folder: string): Machine {
    return new Machine({ name, folder, scheduler: this.scheduler, random: this.random.fork(name) });
  }

  private makeSite(options: Omit<ConstructorParameters<typeof Site>[0], "events">): Site {
    const events: NodeEvents = {
      opened: () => this.guard(() => this.opened(site)),
      noticed: ({ name, fields, text }) => {
        if (name === "rebuilt") site.isReadable = true;
        if (name === "resync_done" || name === "bootstrap_done") site.isForeign = false;
        this.guard(() => this.checks.noticed(site, name, { ...fields, text }));
      },
      failed: (code, message) => this.guard(() => this.checks.failed(site, code, message)),
      died: () => this.died(site),
      crossing: () => this.glance(site),
    };
    const site: Site = new Site({ ...options, events }, this.settings.pageSize);
    this.byMachine.set(options.machine, [site]);
    return site;
  }

  /** Now and then somebody looks just while the node is at work. */
  private glance(site: Site): void {
    if (site.role !== "replica" || !site.isReadable || this.isGlancing) return;
    if (!this.glances.chance(this.settings.glanceChance)) return;
    this.isGlancing = true;
    runOutside(() => this.guard(() => this.checks.glanced(site)));
    this.isGlancing = false;
  }

  private opened(site: Site): void {
    site.isReadable = true;
    site.refreshImage();
    site.log.refresh();
    this.counts.add(`${site.role} starts`);
    this.checks.opened(site);
  }

  private died(site: Site): void {
    // What it has done in its last moments is still its own.
    runOutside(() => this.guard(() => this.look()));
    this.guard(() => this.checks.died(site, "kill"));
    if (this.isClosing) return;
    const restartMs = site.restartMs ?? RESTART_MS;
    site.restartMs = undefined;
    if (restartMs < Number.POSITIVE_INFINITY)
      this.after(restartMs, `${site.name} starts`, () => {
        if (!this.isClosing) site.node.start();
      });
  }
}
