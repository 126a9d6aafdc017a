import { renameSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import type { StatePoint } from "../../shared/format/position.ts";
import { NEXT_BOOT } from "./left-behind.ts";
import type { State } from "./left-behind.ts";
import { flip } from "./stopped-nodes.ts";

/*
 * States in which a replica's data folder can be found ({@link ./stopped-nodes.ts} says what it was), with what `tailrace check` is
 * to say of each, and what the next start is to do.
 */

/** Of the log that both nodes have. */
const BEGINNING: StatePoint = { txid: 0, cursor: { segment: 1, offset: 80 }, checksum: 0n, pageCount: 2 };

export const REPLICA_STATES: readonly State[] = [
  ["closed in order", () => {}, "well", "goes on"],
  [
    "killed while it received",
    (place) => {
      place.receive(20, 21);
      place.position({ bootId: NEXT_BOOT });
      truncateSync(place.newest, statSync(place.newest).size - 1000);
    },
    "well",
    "goes on",
  ],
  [
    "power lost with records received and not on the disk",
    (place) => {
      place.receive(20, 23);
      place.position({ isStamped: false });
      place.loseRecord(22);
    },
    "well",
    "goes on",
  ],
  [
    "the same without a loss of power",
    (place) => {
      place.receive(20, 23);
      place.position({ bootId: NEXT_BOOT });
      place.loseRecord(22);
    },
    "damaged",
    "goes on",
  ],
  [
    "power lost with a segment received and not on the disk, and the next one there",
    (place) => {
      place.position({ isStamped: false, floor: BEGINNING });
      rmSync(place.segment(2));
    },
    "well",
    "resync",
  ],
  [
    "records lost after an orderly close, after which all was on the disk",
    (place) => {
      place.position({ isClean: true, floor: BEGINNING });
      place.loseRecord(15);
    },
    "damaged",
    "goes on",
  ],
  ["a bit flipped in what is applied", (place) => flip(place.newest, 500), "damaged", "goes on"],
  [
    "killed between the removals of old segments",
    (place) => writeFileSync(place.at("log/start.json"), '{"formatVersion":1,"segment":2,"offset":0}'),
    "well",
    "goes on",
  ],
  ["no copy of the log", (place) => place.remove("log"), "well", "goes on"],
  ["a copy without its beginning", (place) => place.remove("log/start.json"), "well", "goes on"],
  ["a segment missing in its copy", (place) => rmSync(place.segment(2)), "damaged", "resync"],
  [
    "the beginning of its copy damaged",
    (place) => writeFileSync(place.at("log/start.json"), "{}"),
    "damaged",
    "resync",
  ],
  [
    "a page table without its header yet",
    (place) => writeFileSync(place.at("pages.sum"), Buffer.alloc(8192)),
    "well",
    "goes on",
  ],
  ["a page table's header damaged", (place) => flip(place.at("pages.sum"), 20), "damaged", "goes on"],
  [
    "both slots of its position damaged",
    (place) => writeFileSync(place.at("position"), Buffer.alloc(1024, 1)),
    "damaged",
    "resync",
  ],
  ["its position lost", (place) => place.remove("position"), "damaged", "unrelated_database"],
  [
    "its position set aside before the resync was done",
    (place) => renameSync(place.at("position"), place.at("position.damaged")),
    "well",
    "resync",
  ],
  [
    "killed within a resync from another log",
    (place) => place.position({ phase: "resyncing", logId: "7".repeat(32) }),
    "well",
    "resync",
  ],
  [
    "killed when it had just landed in another log",
    (place) => place.edit("meta.json", { logId: "7".repeat(32) }),
    "well",
    "goes on",
  ],
  [
    "killed within its bootstrap",
    (place) => {
      rmSync(place.file);
      place.remove("log", "pages.sum", "snapshots");
      writeFileSync(place.at("position"), "");
      writeFileSync(place.at("bootstrap.part"), "");
      writeFileSync(place.at("bootstrap.json"), "{}");
    },
    "well",
    "bootstrap",
  ],
  ["a folder for a page table", (place) => place.putFolderForTable(), "damaged", "storage_failed"],
  ["no meta.json", (place) => place.remove("meta.json"), "damaged", "goes on"],
  [
    "meta.json of a later format",
    (place) => place.edit("meta.json", { formatVersion: 2 }),
    "refused",
    "unknown_version",
  ],
];
