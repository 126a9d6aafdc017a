import { readdirSync } from "node:fs";
import { join } from "node:path";
import { UNFINISHED_SUFFIX } from "../storage/atomic-file.ts";
import { onStorage } from "../storage/storage-error.ts";
import type { Findings } from "./finding.ts";
import { kindOf } from "./offline-folder.ts";

/** Folders in which repairs keep what they took away, numbered from 1: {@link ./carry-out-repair.ts}. */
export const CUT_FOLDER: RegExp = /^log-cut-(\d{4,9})$/;
/** Folders in which a primary kept a log that it could not go on with. */
const SET_ASIDE = /^log-set-aside-([0-9a-f]{32}|unfinished)$/;

const FILES: ReadonlySet<string> = new Set(
  (
    "lock.db lock.db-journal meta.json pages.sum clean-close.json replicas.json replicas.json.damaged " +
    "position position.damaged bootstrap.part bootstrap.json resync.sums resync.pages"
  ).split(" "),
);
const FOLDERS: ReadonlySet<string> = new Set(["log", "snapshots", "resync.log"]);
/** By folder, what belongs into it. */
const CONTENTS: Readonly<Record<string, RegExp>> = {
  log: /^([0-9a-f]{16}\.log|start\.json)$/,
  snapshots: /^\d{8,15}\.(db|sums|json)$/,
};

/** Notes what is left over, kept aside, or does not belong into a data folder. @throws storage_failed */
export function examineNames(folder: string, findings: Findings): void {
  for (const name of list(folder)) {
    const kind = kindOf(join(folder, name));
    if (name.endsWith(UNFINISHED_SUFFIX)) leftOver(findings, name);
    else if (SET_ASIDE.test(name))
      findings.add(
        "note",
        name,
        "a log that a start could not go on with, kept for whoever wants to look at it",
        {
          advice: "Remove it when nobody does.",
        },
      );
    else if (CUT_FOLDER.test(name))
      findings.add("note", name, "what tailrace repair took away", {
        advice: "Remove it when nobody needs it.",
      });
    else if (FILES.has(name) || FOLDERS.has(name)) {
      const expected = FILES.has(name) ? "file" : "folder";
      if (kind !== expected)
        findings.add("damaged", name, `it is no ${expected}`, { advice: "Move it away." });
    } else foreign(findings, name);
  }
  for (const [inner, pattern] of Object.entries(CONTENTS)) {
    const path = join(folder, inner);
    if (kindOf(path) !== "folder") continue;
    for (const name of list(path)) {
      if (name.endsWith(UNFINISHED_SUFFIX)) leftOver(findings, `${inner}/${name}`);
      else if (!pattern.test(name)) foreign(findings, `${inner}/${name}`);
      else if (kindOf(join(path, name)) !== "file")
        findings.add("damaged", `${inner}/${name}`, "it is no file", { advice: "Move it away." });
    }
  }
}

function list(folder: string): readonly string[] {
  return onStorage("list", folder, () => readdirSync(folder)).toSorted();
}

function leftOver(findings: Findings, file: string): void {
  findings.add("note", file, "left over from a write that was interrupted; nothing reads it", {
    advice: "It may be removed while no node runs; most of them the next start removes.",
  });
}

function foreign(findings: Findings, file: string): void {
  findings.add("note", file, "does not belong into a data folder", {
    advice: "Tailrace does not touch it. Move it elsewhere.",
  });
}
