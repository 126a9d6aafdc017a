import { dirname } from "node:path";
import type { Random } from "../core/random.ts";

/** What a name leads to. Files are compared by identity: two names may lead to one. */
export type Entry<File> = File | "folder";

type NameChange<File> =
  | { readonly kind: "put"; readonly path: string; readonly entry: Entry<File> }
  | { readonly kind: "remove"; readonly path: string }
  | { readonly kind: "rename"; readonly from: string; readonly to: string };

type NameMap<File> = Map<string, Entry<File>>;

/**
 * The names of a disk, as processes see them and as a loss of power would leave them. Changes of names reach the disk in
 * their order, as with a journal: by the sync of a folder, or by and by without one.
 */
export class Names<File> {
  private current: NameMap<File> = new Map();
  private durable: NameMap<File> = new Map();
  private pending: NameChange<File>[] = [];

  get(path: string): Entry<File> | undefined {
    return this.current.get(path);
  }

  /** What the name leads to for certain after a loss of power. */
  durableEntry(path: string): Entry<File> | undefined {
    return this.durable.get(path);
  }

  /** Every name, with what it leads to. */
  entries(): MapIterator<[string, Entry<File>]> {
    return this.current.entries();
  }

  /** The names below a folder, at any depth. */
  below(folder: string): string[] {
    return [...this.current.keys()].filter((path) => path.startsWith(`${folder}/`));
  }

  leadsTo(entry: Entry<File>): boolean {
    return [...this.current.values()].includes(entry);
  }

  /** Of a file that was created, or has got a second name; of a folder that was made. */
  put(path: string, entry: Entry<File>): void {
    this.change({ kind: "put", path, entry });
  }

  remove(path: string): void {
    this.change({ kind: "remove", path });
  }

  /** Whatever has the new name loses it. A folder takes along what is in it. */
  rename(from: string, to: string): void {
    this.change({ kind: "rename", from, to });
  }

  /** What was there before the simulation began, or was done while no machine ran. */
  settle(path: string, entry: Entry<File> | undefined): void {
    for (const names of [this.current, this.durable]) {
      if (entry === undefined) names.delete(path);
      else names.set(path, entry);
    }
  }

  /** Makes durable what was done to the names in a folder, and whatever was done before. */
  sync(folder: string): void {
    const last = this.pending.findLastIndex((change) => foldersOf(change).includes(folder));
    for (const change of this.pending.splice(0, last + 1)) carryOut(this.durable, change);
  }

  /** Keeps what is durable, and the first few of the changes since. */
  losePower(random: Random): void {
    for (const change of this.pending.slice(0, random.int(this.pending.length + 1)))
      carryOut(this.durable, change);
    this.pending = [];
    this.current = new Map(this.durable);
  }

  private change(change: NameChange<File>): void {
    carryOut(this.current, change);
    this.pending.push(change);
  }
}

function foldersOf(change: NameChange<unknown>): string[] {
  return change.kind === "rename" ? [dirname(change.from), dirname(change.to)] : [dirname(change.path)];
}

function carryOut<File>(names: NameMap<File>, change: NameChange<File>): void {
  if (change.kind === "put") names.set(change.path, change.entry);
  else if (change.kind === "remove") names.delete(change.path);
  else move(names, change.from, change.to);
}

function move<File>(names: NameMap<File>, from: string, to: string): void {
  const moved = [...names].filter(([path]) => path === from || path.startsWith(`${from}/`));
  for (const [path] of moved) names.delete(path);
  for (const [path, entry] of moved) names.set(to + path.slice(from.length), entry);
}
