import {
  cpSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { onTestFinished } from "vitest";
import { driver } from "../../shared/sqlite/node-sqlite.ts";
import { DataFolder } from "../../shared/storage/data-folder.ts";
import { BOOT, NEXT_BOOT } from "./left-behind.ts";
import type { State } from "./left-behind.ts";
import { flip } from "./stopped-nodes.ts";

/*
 * States in which a primary's data folder can be found ({@link ./stopped-nodes.ts} says what it was), with what `tailrace check` is
 * to say of each, and what the next start is to do.
 */

export const PRIMARY_STATES: readonly State[] = [
  ["closed in order", () => {}, "well", "goes on"],
  ["killed", (place) => place.killed(), "well", "goes on"],
  [
    "killed while it wrote a record",
    (place) => {
      place.killed();
      truncateSync(place.newest, statSync(place.newest).size - 1000);
    },
    "well",
    "goes on",
  ],
  [
    "power lost while several records were on their way, the last of them",
    (place) => {
      place.wentDown();
      place.loseRecord(40);
    },
    "well",
    "goes on",
  ],
  [
    "power lost while several records were on their way, one before others",
    (place) => {
      place.wentDown();
      place.loseRecord(38);
    },
    "well",
    "goes on",
  ],
  [
    "the same after an orderly close at an earlier transaction",
    (place) => {
      const closed = place.read("clean-close.json");
      place.wentDown();
      place.loseRecord(38);
      writeFileSync(place.at("clean-close.json"), JSON.stringify({ ...closed, txid: 37 }));
    },
    "well",
    "goes on",
  ],
  [
    "the same after an orderly close at a later one: it was on the disk",
    (place) => {
      place.loseRecord(38);
      place.edit("meta.json", { bootId: BOOT });
    },
    "damaged",
    "begins a new log",
  ],
  [
    "the same without a loss of power",
    (place) => {
      place.killed();
      place.loseRecord(38);
    },
    "damaged",
    "begins a new log",
  ],
  [
    "the same in a sealed segment",
    (place) => {
      place.wentDown();
      place.loseRecord(12);
    },
    "damaged",
    "begins a new log",
  ],
  [
    "the same before a gap",
    (place) => {
      place.wentDown();
      place.loseRecord(12);
      rmSync(place.segment(3));
    },
    "damaged",
    "begins a new log",
  ],
  ["a segment missing", (place) => rmSync(place.segment(3)), "damaged", "begins a new log"],
  ["the newest segment missing", (place) => rmSync(place.newest), "damaged", "goes on"],
  [
    "stopped by a kill between the removals of old segments",
    (place) => [1, 2].forEach((number) => rmSync(place.segment(number))),
    "well",
    "goes on",
  ],
  [
    "a segment in the making",
    (place) => writeFileSync(`${place.segment(8)}.tmp`, "half a hea"),
    "well",
    "goes on",
  ],
  ["no log", (place) => place.remove("log"), "damaged", "begins a new log"],
  [
    "a segment of a later format",
    (place) => place.editHeader(2, (header) => header.writeUInt32LE(2, 8)),
    "refused",
    "unknown_version",
  ],
  [
    "a snapshot half taken",
    (place) => {
      writeFileSync(place.at("snapshots/00000003.db"), "");
      writeFileSync(place.at("snapshots/00000004.db.tmp"), "");
    },
    "well",
    "goes on",
  ],
  ["a snapshot half removed", (place) => place.remove("snapshots/00000001.json"), "well", "goes on"],
  [
    "a snapshot cut short",
    (place) => truncateSync(place.at("snapshots/00000002.db"), 4096),
    "damaged",
    "goes on",
  ],
  [
    "a snapshot past the end",
    (place) => {
      place.killed();
      place.edit("snapshots/00000002.json", { cursor: { segment: 9, offset: 80 } });
    },
    "damaged",
    "goes on",
  ],
  [
    "a snapshot of a later format",
    (place) => place.edit("snapshots/00000002.json", { formatVersion: 2 }),
    "refused",
    "unknown_version",
  ],
  ["no page table", (place) => place.remove("pages.sum"), "well", "goes on"],
  ["a page table that was never begun", (place) => truncateSync(place.at("pages.sum"), 0), "well", "goes on"],
  [
    "a page table without its header yet",
    (place) => writeFileSync(place.at("pages.sum"), readFileSync(place.at("pages.sum")).fill(0, 0, 4096)),
    "well",
    "goes on",
  ],
  ["a page table with later entries", (place) => flip(place.at("pages.sum"), 4100), "well", "goes on"],
  ["a page table's header damaged", (place) => flip(place.at("pages.sum"), 20), "damaged", "goes on"],
  [
    "a page table of a state that the log does not have",
    (place) => {
      place.edit("meta.json", { bootId: NEXT_BOOT });
      place.remove("clean-close.json");
      rmSync(place.newest);
    },
    "damaged",
    "goes on",
  ],
  [
    "clean-close.json that makes no sense",
    (place) => writeFileSync(place.at("clean-close.json"), "{"),
    "damaged",
    "goes on",
  ],
  [
    "replicas.json that makes no sense",
    (place) => writeFileSync(place.at("replicas.json"), "{"),
    "damaged",
    "goes on",
  ],
  [
    "replicas.json of a later format",
    (place) => place.edit("replicas.json", { formatVersion: 2 }),
    "refused",
    "unknown_version",
  ],
  ["a folder for a page table", (place) => place.putFolderForTable(), "damaged", "storage_failed"],
  ["no meta.json", (place) => place.remove("meta.json"), "damaged", "begins a new log"],
  [
    "meta.json that makes no sense",
    (place) => writeFileSync(place.at("meta.json"), "{"),
    "damaged",
    "damaged",
  ],
  [
    "meta.json of a later format",
    (place) => place.edit("meta.json", { formatVersion: 2 }),
    "refused",
    "unknown_version",
  ],
  [
    "a first start that was killed when the log had just begun",
    (place) => {
      place.remove("meta.json", "clean-close.json", "replicas.json", "snapshots");
      place.remove(...[2, 3, 4, 5, 6, 7].map((number) => `log/000000000000000${number}.log`));
      truncateSync(place.segment(1), 80);
    },
    "well",
    "begins a new log",
  ],
  [
    "killed when a log had been set aside for a new one",
    (place) => {
      const { logId } = place;
      renameSync(place.at("log"), place.at(`log-set-aside-${logId}`));
      place.remove("pages.sum");
    },
    "well",
    "begins a new log",
  ],
  [
    "the same when the new one had just begun",
    (place) => {
      const { logId } = place;
      renameSync(place.at("log"), place.at(`log-set-aside-${logId}`));
      mkdirSync(place.at("log"));
      cpSync(join(place.at(`log-set-aside-${logId}`), "0000000000000001.log"), place.segment(1));
      truncateSync(place.segment(1), 80);
      place.editHeader(1, (header) => header.fill(7, 16, 32));
    },
    "well",
    "begins a new log",
  ],
  [
    "a WAL beside the database that has more than the log",
    (place) => {
      // Another one that is open, so that the WAL stays when its writer goes.
      const other = new DatabaseSync(place.file);
      other.exec("SELECT count(*) FROM t");
      onTestFinished(() => other.close());
      writeInto(place.file);
    },
    "well",
    "goes on",
  ],
  [
    "the database replaced by a copy of it",
    (place) => place.edit("meta.json", { databaseFile: "1:1" }),
    "well",
    "goes on",
  ],
  [
    "the database replaced by another",
    (place) => {
      place.edit("meta.json", { databaseFile: "1:1" });
      writeInto(place.file);
    },
    "well",
    "begins a new log",
  ],
  ["a lock that is no lock", (place) => writeFileSync(place.at("lock.db"), "x"), "refused", "damaged"],
  [
    "a node running on it",
    ({ dataDir }) => {
      const held = DataFolder.open(dataDir, driver);
      onTestFinished(() => held.close());
    },
    "refused",
    "data_folder_in_use",
  ],
];

function writeInto(file: string): void {
  const writer = new DatabaseSync(file);
  writer.exec("INSERT INTO t(b) VALUES (zeroblob(3000))");
  writer.close();
}
