import * as fs from "node:fs";
import { dirname, join } from "node:path";
import type { SimulatedProcess } from "../core/process.ts";
import type { Random } from "../core/random.ts";
import { Connections } from "./connections.ts";
import { DiskFaults } from "./disk-faults.ts";
import { DiskFile } from "./disk-file.ts";
import { Names } from "./names.ts";

/** Of the first file; later ones count on. */
const FIRST_INODE = 1_000_000;

const ORDINARY_MS = 0.5;
const SLOW_MS = 50;
const SLOW_CHANCE = 0.03;

/** What a watcher is told: its file was written, or has lost a name. */
export type FileEvent = "change" | "rename";

/**
 * A machine's disk. Processes see real files in a folder: the page cache. Beside them it is known of each what is
 * durable and what was written since, so that power can be lost.
 *
 * All paths are absolute and within the folder.
 */
export class Disk {
  readonly folder: string;
  readonly faults: DiskFaults = new DiskFaults();
  /** What processes take for the device number. */
  readonly device: number;
  /** SQLite's connections to files of this disk. */
  readonly connections: Connections;
  /** For what is the disk's to decide: how late an answer comes. */
  readonly random: Random;
  /** What no process may do to its own files, and has done all the same. */
  readonly hazards: string[] = [];
  private readonly names = new Names<DiskFile>();
  private readonly releases = new Map<SimulatedProcess, Set<() => void>>();
  private readonly watchers = new Map<DiskFile, Set<(event: FileEvent) => void>>();
  private changed = new Set<string>();
  private nextInode = FIRST_INODE;
  private boot: string;

  /** @param folder on the real disk, which exists; what is in it is durable */
  constructor(folder: string, random: Random) {
    this.folder = folder;
    this.random = random.fork("disk");
    this.device = 2000 + this.random.int(8000);
    this.boot = makeBootId(this.random);
    this.connections = new Connections(this);
    this.names.settle(folder, "folder");
    this.adoptFolder(folder);
  }

  /** As /proc/sys/kernel/random/boot_id says it; another one after each loss of power. */
  get bootId(): string {
    return this.boot;
  }

  owns(path: string): boolean {
    return path === this.folder || path.startsWith(`${this.folder}/`);
  }

  /** What all files together hold. */
  get usedBytes(): number {
    let bytes = 0;
    for (const file of this.files()) bytes += file.size;
    return bytes;
  }

  get freeBytes(): number {
    return Math.max(0, this.faults.capacityBytes - this.usedBytes);
  }

  /** How late an answer, or news of a change, comes. */
  latencyMs(): number {
    return this.random.float() * (this.random.chance(SLOW_CHANCE) ? SLOW_MS : ORDINARY_MS);
  }

  shuffle<T>(of: readonly T[]): T[] {
    const keys = of.map((item) => [this.random.float(), item] as const);
    return keys.toSorted(([a], [b]) => a - b).map(([, item]) => item);
  }

  /** Paths of what has changed since this was asked last. */
  takeChanged(): ReadonlySet<string> {
    const { changed } = this;
    this.changed = new Set();
    return changed;
  }

  /** What stands at a path; what somebody has put there behind the disk's back is taken for durable. */
  find(path: string): DiskFile | "folder" | undefined {
    const stats = fs.lstatSync(path, { throwIfNoEntry: false });
    const known = this.names.get(path);
    if (stats === undefined) {
      if (known !== undefined) this.names.settle(path, undefined);
      return undefined;
    }
    if (stats.isDirectory()) {
      if (known !== "folder") this.names.settle(path, "folder");
      return "folder";
    }
    if (known !== undefined && known !== "folder" && known.realInode === stats.ino) return known;
    return this.adopt(path, 0);
  }

  /** Whether the disk has noticed what stands at the path. */
  isKnown(path: string): boolean {
    return this.names.get(path) !== undefined;
  }

  findFile(path: string): DiskFile | undefined {
    const found = this.find(path);
    return found === "folder" ? undefined : found;
  }

  /** What is at the path for certain after a loss of power. */
  durableBytes(path: string): Buffer | undefined {
    const entry = this.names.durableEntry(path);
    return entry instanceof DiskFile ? entry.durable() : undefined;
  }

  /** A file that has just been created at the path, empty. */
  created(path: string, nowMs: number): DiskFile {
    const { ino } = fs.statSync(path);
    const inode = this.nextInode++;
    const file = new DiskFile({ inode, realInode: ino, bytes: new Uint8Array(0), nowMs });
    this.names.put(path, file);
    this.noteChange(path);
    return file;
  }

  madeFolder(path: string): void {
    this.names.put(path, "folder");
    this.noteChange(path);
  }

  linked(from: string, to: string, nowMs: number): void {
    const file = this.findFile(from)!;
    this.names.put(to, file);
    file.changedMs = nowMs;
    this.noteChange(to);
  }

  renamed(from: string, to: string, nowMs: number): void {
    const displaced = this.names.get(to);
    this.names.rename(from, to);
    if (displaced instanceof DiskFile) this.tell(displaced, "rename");
    const moved = this.names.get(to);
    if (moved instanceof DiskFile) moved.changedMs = nowMs;
    this.noteChange(from);
    this.noteChange(to);
  }

  /** A file or a folder, with all that was in it. */
  removed(path: string, nowMs: number): void {
    for (const name of [...this.names.below(path).toReversed(), path]) {
      const entry = this.names.get(name);
      this.names.remove(name);
      this.noteChange(name);
      if (!(entry instanceof DiskFile)) continue;
      entry.changedMs = nowMs;
      this.tell(entry, "rename");
    }
  }

  syncFolder(path: string): void {
    this.names.sync(path);
  }

  wrote(file: DiskFile, path: string, offset: number, bytes: Uint8Array, nowMs: number): void {
    if (isShared(path)) return;
    file.write(offset, bytes);
    this.touched(file, path, nowMs);
  }

  truncated(file: DiskFile, path: string, size: number, nowMs: number): void {
    file.truncate(size);
    this.touched(file, path, nowMs);
  }

  /** Its contents have been changed. */
  touched(file: DiskFile, path: string, nowMs: number): void {
    file.touch(nowMs);
    this.noteChange(path);
    this.tell(file, "change");
  }

  watch(file: DiskFile, listener: (event: FileEvent) => void): () => void {
    const listeners = this.watchers.get(file) ?? new Set();
    this.watchers.set(file, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** @returns to be called when the process lets go by itself */
  untilDeath(process: SimulatedProcess, release: () => void): () => void {
    const releases = this.releases.get(process) ?? new Set();
    this.releases.set(process, releases.add(release));
    return () => releases.delete(release);
  }

  /** The process is dead: what it has open is closed, and what it has written stays, for it is in the page cache. */
  killProcess(process: SimulatedProcess): void {
    const releases = this.releases.get(process) ?? [];
    this.releases.delete(process);
    for (const release of releases) release();
    this.connections.drop(process);
  }

  /** Each file keeps what was synced, and an arbitrary part of what was not. All processes are dead already. */
  powerLoss(): void {
    this.connections.recordAll();
    const lost = new Set([...this.names.entries()].map(([path]) => path));
    this.watchers.clear();
    this.names.losePower(this.random);
    this.boot = makeBootId(this.random);
    for (const name of fs.readdirSync(this.folder)) fs.rmSync(join(this.folder, name), { recursive: true });
    const contents = new Map([...this.files()].map((file) => [file, file.losePower(this.random)]));
    const written = new Map<DiskFile, string>();
    for (const [path, entry] of this.names.entries()) {
      lost.add(path);
      if (entry === "folder") fs.mkdirSync(path, { recursive: true });
      else this.restore(path, entry, contents.get(entry)!, written);
    }
    for (const path of lost) this.noteChange(path);
  }

  /** `rm -rf`, by a person, and durable. */
  remove(path: string): void {
    this.removed(path, 0);
    fs.rmSync(path, { recursive: true, force: true });
    this.names.sync(dirname(path));
  }

  /** Puts another file at the path, by a person, and durable. */
  replaceFile(path: string, bytes: Uint8Array): void {
    const unfinished = `${path}.new`;
    fs.writeFileSync(unfinished, bytes);
    const displaced = this.findFile(path);
    fs.renameSync(unfinished, path);
    if (displaced !== undefined) this.tell(displaced, "rename");
    this.adopt(path, 0);
    this.noteChange(path);
  }

  /** Writes into the file where it stands, by a person, and durable. */
  overwrite(path: string, bytes: Uint8Array): void {
    fs.writeFileSync(path, bytes);
    const file = this.findFile(path)!;
    file.settle(bytes);
    this.touched(file, path, file.changedMs + 1);
  }

  /** Flips a bit of a file: in what is durable, and in what processes read. @returns where; undefined where all is empty */
  flipBit(path: string = this.pickPath()): { readonly path: string; readonly offset: number } | undefined {
    const file = path === "" ? undefined : this.findFile(path);
    if (file === undefined || file.size === 0) return undefined;
    const bytes = fs.readFileSync(path);
    const offset = this.random.int(bytes.length);
    const flipped = Uint8Array.of(bytes[offset]! ^ (1 << this.random.int(8)));
    const descriptor = fs.openSync(path, "r+");
    fs.writeSync(descriptor, flipped, 0, 1, offset);
    fs.closeSync(descriptor);
    file.flip(offset, flipped);
    this.noteChange(path);
    return { path, offset };
  }

  private *files(): Generator<DiskFile> {
    const seen = new Set<DiskFile>();
    for (const [, entry] of this.names.entries()) {
      if (entry === "folder" || seen.has(entry)) continue;
      seen.add(entry);
      yield entry;
    }
  }

  private pickPath(): string {
    const paths = [...this.names.entries()].flatMap(([path, entry]) =>
      entry === "folder" || entry.size === 0 ? [] : [path],
    );
    return paths.length === 0 ? "" : this.random.pick(paths);
  }

  private restore(path: string, file: DiskFile, bytes: Buffer, written: Map<DiskFile, string>): void {
    fs.mkdirSync(dirname(path), { recursive: true });
    const other = written.get(file);
    if (other === undefined) fs.writeFileSync(path, isShared(path) ? "" : bytes);
    else fs.linkSync(other, path);
    written.set(file, path);
    file.restarted(fs.statSync(path).ino, isShared(path) ? Buffer.alloc(0) : bytes);
  }

  private adopt(path: string, nowMs: number): DiskFile {
    const { ino } = fs.statSync(path);
    const bytes = isShared(path) ? Buffer.alloc(0) : fs.readFileSync(path);
    const file = new DiskFile({ inode: this.nextInode++, realInode: ino, bytes, nowMs });
    this.names.settle(path, file);
    return file;
  }

  private adoptFolder(folder: string): void {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true }).toSorted(byName)) {
      const path = join(folder, entry.name);
      if (!entry.isDirectory()) this.adopt(path, 0);
      else {
        this.names.settle(path, "folder");
        this.adoptFolder(path);
      }
    }
  }

  private noteChange(path: string): void {
    this.changed.add(path);
  }

  private tell(file: DiskFile, event: FileEvent): void {
    for (const listener of this.watchers.get(file) ?? []) listener(event);
  }
}

/** The wal-index is memory that processes share: it does not outlive them. */
function isShared(path: string): boolean {
  return path.endsWith("-shm");
}

function byName(a: fs.Dirent, b: fs.Dirent): number {
  return a.name < b.name ? -1 : 1;
}

function makeBootId(random: Random): string {
  const digits = Array.from({ length: 32 }, () => random.int(16).toString(16)).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
