import * as real from "node:fs";
import { systemError } from "../core/errno.ts";
import { ProcessDied, currentProcess } from "../core/process.ts";
import { enter, fail, openFiles, pathOf, placeOf, take } from "./fs-context.ts";
import type { OpenFile, Place } from "./fs-context.ts";
import { dress } from "./fs-stats.ts";
import { readSystemFile, systemNames } from "./system-files.ts";

/*
 * node:fs as a simulated process has it: carried out on real files, recorded by the machine's disk, and failing as that
 * disk fails. Names that are missing here are missing on purpose: an import of one fails the run.
 */
export { watch } from "./fs-watch.ts";
export { constants } from "node:fs";
export type { FSWatcher, Stats } from "node:fs";

type PathLike = string | URL;
type StatOptions = { bigint?: boolean; throwIfNoEntry?: boolean };

const PAGE_BYTES = 4096;
const BLOCK_BYTES = 4096;
const ORDINARY_BLOCKS = 2 ** 28;
/** What statfs(2) calls ext4. */
const EXT4 = 0xef53;
const { O_CREAT, O_RDWR, O_TRUNC, O_WRONLY } = real.constants;
const FLAGS: Readonly<Record<string, number>> = {
  r: 0,
  "r+": O_RDWR,
  w: O_WRONLY | O_CREAT | O_TRUNC,
  "w+": O_RDWR | O_CREAT | O_TRUNC,
};

export function openSync(path: PathLike, flags: string | number = "r", mode?: number): number {
  const name = pathOf(path);
  const place = enter("fs.open", name);
  if (place === undefined) return openOutside(name, flags, mode);
  const { disk, process, nowMs } = place;
  const bits = typeof flags === "number" ? flags : FLAGS[flags];
  if (bits === undefined) throw new Error(`the simulation does not know the flags ${flags}`);
  fail(place, "open", "open", name);
  const isWriting = (bits & (O_RDWR | O_WRONLY)) !== 0;
  if (isWriting && disk.faults.isReadOnly) throw systemError("EROFS", "open", name);
  const found = disk.find(name);
  if (found === undefined && (bits & O_CREAT) !== 0 && disk.freeBytes === 0)
    throw systemError("ENOSPC", "open", name);
  const descriptor = real.openSync(path, flags, mode);
  const known = found === "folder" ? undefined : found;
  if (known !== undefined && (bits & O_TRUNC) !== 0) disk.truncated(known, name, 0, nowMs);
  const file = found === undefined ? disk.created(name, nowMs) : known;
  const forget = disk.untilDeath(process, () => closeReal(descriptor));
  openFiles.set(descriptor, { process, path: name, file, forget });
  return descriptor;
}

/** What is on no simulated disk. */
function openOutside(path: string, flags: string | number, mode: number | undefined): number {
  const descriptor = real.openSync(path, flags, mode);
  const process = currentProcess();
  if (process === undefined) return descriptor;
  const forget = process.machine.disk.untilDeath(process, () => closeReal(descriptor));
  openFiles.set(descriptor, { process, path, file: undefined, forget });
  return descriptor;
}

function closeReal(descriptor: number): void {
  openFiles.delete(descriptor);
  real.closeSync(descriptor);
}

export function closeSync(descriptor: number): void {
  const open = take("fs.close", descriptor);
  if (open !== undefined) giveUp(placeOf(open), open);
  closeReal(descriptor);
}

/** https://www.sqlite.org/howtocorrupt.html, section 2.2 */
function giveUp({ disk, process }: Place, { file, path, forget }: OpenFile): void {
  forget();
  if (file === undefined || !disk.connections.holdsLocks(process, file)) return;
  disk.hazards.push(`${process.name} closed a descriptor of ${path}, and with it SQLite's locks`);
}

export function readSync(
  descriptor: number,
  into: NodeJS.ArrayBufferView,
  offset: number,
  length: number,
  position: number | null,
): number {
  const open = take("fs.read", descriptor);
  if (open !== undefined) fail(placeOf(open), "read", "read", open.path);
  return real.readSync(descriptor, into, offset, length, position);
}

export function writeSync(
  descriptor: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
): number {
  const wanted = bytes.subarray(offset, offset + length);
  const open = takeForWriting(descriptor, wanted, position);
  if (open?.file === undefined) return real.writeSync(descriptor, bytes, offset, length, position);
  const place = placeOf(open);
  const { disk, nowMs } = place;
  fail(place, "write", "write", open.path);
  const grownBytes = Math.max(0, position + length - open.file.size);
  const missingBytes = Math.max(0, grownBytes - disk.freeBytes);
  if (missingBytes >= length && length > 0) throw systemError("ENOSPC", "write", open.path);
  const written = wanted.subarray(0, length - missingBytes);
  real.writeSync(descriptor, written, 0, written.length, position);
  disk.wrote(open.file, open.path, position, written, nowMs);
  return written.length;
}

/** The same on another thread: carried out at some moment before the call back. */
export function write(
  descriptor: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
  callback: (error: Error | null, written?: number) => void,
): void {
  const open = take("fs.write", descriptor);
  if (open === undefined) {
    real.write(descriptor, bytes, offset, length, position, callback);
    return;
  }
  later(placeOf(open), "fs.write", () => {
    let written: number;
    try {
      written = writeSync(descriptor, bytes, offset, length, position);
    } catch (error) {
      if (error instanceof ProcessDied) return;
      callback(error as Error);
      return;
    }
    callback(null, written);
  });
}

/** A process that is killed within a write has written some pages of it. */
function takeForWriting(descriptor: number, bytes: Uint8Array, position: number): OpenFile | undefined {
  const open = openFiles.get(descriptor);
  const wasAlive = open?.process.isAlive;
  try {
    return take("fs.write", descriptor);
  } catch (error) {
    if (error instanceof ProcessDied && wasAlive === true && bytes.length > PAGE_BYTES)
      writePages(open, bytes, position);
    throw error;
  }
}

function writePages(open: OpenFile, bytes: Uint8Array, position: number): void {
  const { disk, nowMs } = placeOf(open);
  if (open.file === undefined || disk.find(open.path) !== open.file) return;
  const written = bytes.subarray(0, disk.random.int(Math.ceil(bytes.length / PAGE_BYTES)) * PAGE_BYTES);
  const descriptor = real.openSync(open.path, "r+");
  real.writeSync(descriptor, written, 0, written.length, position);
  real.closeSync(descriptor);
  disk.wrote(open.file, open.path, position, written, nowMs);
}

export function ftruncateSync(descriptor: number, size = 0): void {
  const open = take("fs.truncate", descriptor);
  if (open?.file !== undefined) {
    const place = placeOf(open);
    fail(place, "write", "ftruncate", open.path);
    place.disk.truncated(open.file, open.path, size, place.nowMs);
  }
  real.ftruncateSync(descriptor, size);
}

export function fsyncSync(descriptor: number): void {
  const open = take("fs.sync", descriptor);
  if (open === undefined) real.fsyncSync(descriptor);
  else sync(placeOf(open), open);
}

export function fdatasyncSync(descriptor: number): void {
  fsyncSync(descriptor);
}

/** What was written before the call is durable when it ends, as late as that may be. */
export function fdatasync(descriptor: number, callback: (error: Error | null) => void): void {
  const open = take("fs.sync", descriptor);
  if (open === undefined) {
    real.fdatasync(descriptor, callback);
    return;
  }
  const place = placeOf(open);
  recordSqlite(place, open);
  const mark = open.file?.mark;
  later(place, "fs.sync", () => {
    try {
      open.process.cross("fs.sync");
      sync(placeOf(open), open, mark);
    } catch (error) {
      if (error instanceof ProcessDied) return;
      callback(error as Error);
      return;
    }
    callback(null);
  });
}

function sync(place: Place, open: OpenFile, mark?: number): void {
  const { disk } = place;
  const code = disk.faults.take("sync", open.path);
  if (code !== undefined) {
    open.file?.failSync();
    throw systemError(code, "fsync", open.path);
  }
  if (open.file === undefined) disk.syncFolder(open.path);
  else {
    if (mark === undefined) recordSqlite(place, open);
    open.file.sync(mark);
  }
}

function recordSqlite({ disk, nowMs }: Place, { file, path }: OpenFile): void {
  if (file?.isMirrored === true && disk.find(path) === file) disk.connections.recordFile(path, nowMs);
}

export function close(descriptor: number, callback: (error: Error | null) => void = () => {}): void {
  const open = take("fs.close", descriptor);
  if (open === undefined) {
    real.close(descriptor, callback);
    return;
  }
  later(placeOf(open), "fs.close", () => {
    open.process.cross("fs.close");
    giveUp(placeOf(open), open);
    closeReal(descriptor);
    callback(null);
  });
}

function later({ process, disk }: Place, what: string, run: () => void): void {
  process.machine.scheduler.after(disk.latencyMs(), what, process, run);
}

export function statSync(path: PathLike, options?: StatOptions): real.Stats | real.BigIntStats | undefined {
  const name = pathOf(path);
  const place = enter("fs.stat", name);
  const stats = real.statSync(name, options);
  if (place === undefined || stats === undefined) return stats;
  return dress(stats, place.disk, place.disk.findFile(name));
}

/** No simulated disk has symbolic links. */
export function lstatSync(path: PathLike, options?: StatOptions): ReturnType<typeof statSync> {
  return statSync(path, options);
}

export function fstatSync(descriptor: number, options?: StatOptions): real.Stats | real.BigIntStats {
  const open = take("fs.stat", descriptor);
  const stats = real.fstatSync(descriptor, options);
  return open === undefined ? stats : dress(stats, placeOf(open).disk, open.file);
}

export function statfsSync(path: PathLike): real.StatsFs {
  const name = pathOf(path);
  const place = enter("fs.statfs", name);
  const stats = real.statfsSync(name);
  if (place === undefined) return stats;
  const { usedBytes, freeBytes, faults } = place.disk;
  const isLimited = Number.isFinite(faults.capacityBytes);
  const blocks = isLimited ? Math.floor(faults.capacityBytes / BLOCK_BYTES) : ORDINARY_BLOCKS;
  const free = isLimited ? Math.floor(freeBytes / BLOCK_BYTES) : blocks - Math.ceil(usedBytes / BLOCK_BYTES);
  return Object.assign(stats, { type: EXT4, bsize: BLOCK_BYTES, blocks, bfree: free, bavail: free });
}

export function existsSync(path: PathLike): boolean {
  const name = pathOf(path);
  enter("fs.exists", name);
  return real.existsSync(name);
}

export function realpathSync(path: PathLike): string {
  const name = pathOf(path);
  enter("fs.realpath", name);
  return real.realpathSync(name);
}

export function accessSync(path: PathLike, mode: number = real.constants.F_OK): void {
  const name = pathOf(path);
  const place = enter("fs.access", name);
  if (place?.disk.faults.isReadOnly === true && (mode & real.constants.W_OK) !== 0)
    throw systemError("EROFS", "access", name);
  real.accessSync(name, mode);
}

export function readFileSync(path: PathLike, encoding?: BufferEncoding): string | Buffer {
  const name = pathOf(path);
  const place = enter("fs.read", name);
  const text = readSystemFile(name);
  if (text !== undefined) return encoding === undefined ? Buffer.from(text) : text;
  if (place !== undefined) fail(place, "read", "read", name);
  return encoding === undefined ? real.readFileSync(name) : real.readFileSync(name, encoding);
}

/** In any order, as a file system may have it. */
export function readdirSync(path: PathLike): string[] {
  const name = pathOf(path);
  const place = enter("fs.readdir", name);
  const names = systemNames(name) ?? real.readdirSync(name).toSorted();
  return place === undefined ? names : place.disk.shuffle(names);
}

export function mkdirSync(path: PathLike, options: { recursive?: boolean } = {}): void {
  const name = pathOf(path);
  const place = enter("fs.mkdir", name);
  if (place === undefined) {
    real.mkdirSync(name, options);
    return;
  }
  fail(place, "mkdir", "mkdir", name);
  if (options.recursive === true && place.disk.find(name) === "folder") return;
  if (place.disk.freeBytes === 0) throw systemError("ENOSPC", "mkdir", name);
  real.mkdirSync(name);
  place.disk.madeFolder(name);
}

export function rmSync(path: PathLike, options: { recursive?: boolean; force?: boolean } = {}): void {
  const name = pathOf(path);
  const place = enter("fs.remove", name);
  if (place !== undefined) fail(place, "remove", "unlink", name);
  const isThere = place !== undefined && place.disk.find(name) !== undefined;
  real.rmSync(name, options);
  if (isThere) place.disk.removed(name, place.nowMs);
}

export function unlinkSync(path: PathLike): void {
  rmSync(path);
}

export function renameSync(from: PathLike, to: PathLike): void {
  const [source, target] = [pathOf(from), pathOf(to)];
  const place = enter("fs.rename", target);
  if (place !== undefined) {
    fail(place, "rename", "rename", source);
    place.disk.find(source);
    place.disk.find(target);
  }
  real.renameSync(source, target);
  place?.disk.renamed(source, target, place.nowMs);
}

export function linkSync(from: PathLike, to: PathLike): void {
  const [source, target] = [pathOf(from), pathOf(to)];
  const place = enter("fs.link", target);
  if (place !== undefined) fail(place, "rename", "link", source);
  real.linkSync(source, target);
  place?.disk.linked(source, target, place.nowMs);
}
