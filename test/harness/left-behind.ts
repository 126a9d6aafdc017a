import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { crc32 } from "node:zlib";
import { PositionFile, stampOf } from "../../replica/position-file.ts";
import type { Position } from "../../shared/format/position.ts";
import { FragmentReader } from "../../shared/log/fragment-reader.ts";
import { identityOf } from "../../shared/sqlite/held-files.ts";
import type { Cursor } from "../../shared/units.ts";
import { temporaryFolder } from "./folder.ts";
import type { Start } from "./start-here.ts";
import { newestSegment, segment } from "./stopped-nodes.ts";

/** Of the machine before it went down, and now. */
export const BOOT: string = "a".repeat(32);
export const NEXT_BOOT: string = "b".repeat(32);

/** What check ends with, and what comes of the start. `refused`: neither takes the folder. */
export type Verdict = "well" | "damaged" | "refused";
export type State = readonly [
  what: string,
  spoil: (place: LeftBehind) => void,
  verdict: Verdict,
  outcome: Start["outcome"] | "begins a new log",
];

/** A copy of all that a stopped node has left, to be brought into the state that a crash leaves; until the test ends. */
export class LeftBehind {
  readonly file: string;
  readonly dataDir: string;
  /** What the log was, where the primary left it; a replica's copy has the same bytes. */
  private readonly whole: string;

  constructor(original: string, primaryFile: string) {
    this.file = join(temporaryFolder(), "app.db");
    this.dataDir = `${this.file}-tailrace`;
    this.whole = `${primaryFile}-tailrace`;
    copyFileSync(original, this.file);
    cpSync(`${original}-tailrace`, this.dataDir, { recursive: true });
    this.edit("meta.json", { databaseFile: identityOf(this.file) });
  }

  at(name: string): string {
    return join(this.dataDir, name);
  }

  segment(number: number): string {
    return segment(this.dataDir, number);
  }

  get newest(): string {
    return newestSegment(this.dataDir);
  }

  remove(...names: readonly string[]): void {
    for (const name of names) rmSync(this.at(name), { recursive: true });
  }

  get logId(): string {
    return String(this.read("meta.json")["logId"]);
  }

  read(name: string): Readonly<Record<string, unknown>> {
    return JSON.parse(readFileSync(this.at(name), "utf8")) as Record<string, unknown>;
  }

  /** Changes members of a document. */
  edit(name: string, changes: object): void {
    writeFileSync(this.at(name), JSON.stringify({ ...this.read(name), ...changes }));
  }

  putFolderForTable(): void {
    this.remove("pages.sum");
    mkdirSync(this.at("pages.sum"));
  }

  /** A primary was killed: nothing of its end was noted but in the log. */
  killed(): void {
    this.edit("meta.json", { bootId: NEXT_BOOT });
    this.remove("clean-close.json", "pages.sum");
  }

  /** A primary's machine went down: the same, under another boot. */
  wentDown(): void {
    this.killed();
    this.edit("meta.json", { bootId: BOOT });
  }

  /** A replica was not closed in order. */
  position(changes: Partial<Position>): void {
    const file = PositionFile.open(this.at("position"));
    const stamp = stampOf(this.file);
    file.write(
      { ...file.position!, isClean: false, isStamped: true, stamp, bootId: BOOT, ...changes },
      false,
    );
    file.close();
  }

  /** Transactions come to a replica that has up to `from` of them, and are not applied; all in one segment. */
  receive(from: number, to: number): void {
    const [start, end] = [from, to].map((txid) => this.endOf(txid));
    const path = segment(this.whole, start!.segment);
    appendFileSync(this.segment(start!.segment), readFileSync(path).subarray(start!.offset, end!.offset));
  }

  /** Sectors of a record never got to the disk. */
  loseRecord(txid: number): void {
    const { segment: number, offset } = this.endOf(txid);
    const bytes = readFileSync(this.segment(number));
    bytes.fill(7, offset - 2048, offset - 1024);
    writeFileSync(this.segment(number), bytes);
  }

  /** Changes a segment's header, which has its checksum all the same. */
  editHeader(number: number, change: (header: Buffer) => void): void {
    const bytes = readFileSync(this.segment(number));
    change(bytes);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 76)), 76);
    writeFileSync(this.segment(number), bytes);
  }

  private endOf(txid: number): Cursor {
    const last = newestSegment(this.whole);
    const reader = new FragmentReader({
      folder: join(this.whole, "log"),
      start: { segment: 1, offset: 0 },
      end: () => ({ segment: Number.parseInt(basename(last), 16), offset: statSync(last).size }),
    });
    try {
      for (let placed = reader.next(); placed !== undefined; placed = reader.next())
        if (placed.fragment.txid === txid) return placed.end;
    } finally {
      reader.close();
    }
    throw new Error(`there is no transaction ${txid}`);
  }
}
