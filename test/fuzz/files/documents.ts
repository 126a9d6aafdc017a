import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { documentTarget } from "../engine/document-target.ts";
import { WrongError, must } from "../engine/target.ts";
import type { Outcome, Target } from "../engine/target.ts";
import { readStart } from "../../../shared/log/log-copy.ts";
import { SegmentCatalogue } from "../../../shared/log/segment-catalogue.ts";
import { healthOf } from "../../../shared/plan/health.ts";
import { SnapshotStore } from "../../../shared/snapshots/snapshot-store.ts";
import { replicaStatusSchema } from "../../../shared/status.ts";
import { readMeta, writeMeta } from "../../../shared/storage/meta-file.ts";
import { ReplicaTracker } from "../../../shared/tracking/replica-tracker.ts";
import { readReplicas } from "../../../shared/tracking/replicas-file.ts";
import { nodeDocumentSchema } from "../../../src/node-document.ts";
import { replicaLines } from "../../../src/replica-table.ts";
import { statusText } from "../../../src/status-text.ts";
import { primaryStatus, replicaStatus } from "../../harness/status-documents.ts";

const LOG_ID = "0123456789abcdef0123456789abcdef";
const NOW_MS = 1_800_000_000_000;
const MAX_DATE_MS = 8.64e15;
const PAPER = { columns: 80, style: (_format: string, text: string): string => text };

const meta = { formatVersion: 1, logId: LOG_ID, epoch: 1, databaseFile: "259:1234", pageSizeBytes: 4096 };
const tracked = {
  id: "edge",
  logId: LOG_ID,
  address: "127.0.0.1",
  received: { segment: 3, offset: 100 },
  sent: { segment: 4, offset: 0 },
  appliedTxid: 12,
  firstSeenMs: NOW_MS - 1_000_000,
  lastSeenMs: NOW_MS - 1000,
  uncountedMs: 0,
  isInactive: false,
  behindSinceMs: NOW_MS - 2000,
  lostAtMs: null,
  timesLost: 0,
};
const snapshot = {
  formatVersion: 1,
  generation: 1,
  txid: 12,
  databaseChecksum: "0123456789abcdef",
  pageSizeBytes: 512,
  pageCount: 3,
  cursor: { segment: 1, offset: 80 },
  logId: LOG_ID,
  epoch: 1,
  createdMs: NOW_MS,
};

/** The JSON documents of a data folder, and those that a node answers with. */
export const documentTargets: readonly Target[] = [
  documentTarget({
    name: "meta.json",
    open: (folder) => ({
      seeds: [
        { ...meta, role: "primary" },
        { ...meta, role: "replica", replicaId: "edge" },
        { formatVersion: 1, role: "replica", replicaId: "edge" },
      ],
      run: (text) => {
        const path = join(folder, "meta.json");
        writeFileSync(path, text);
        const read = readMeta(path);
        must(read !== undefined, "a file is none");
        writeMeta(path, read);
        must(isDeepStrictEqual(readMeta(path), read), "what is written is not what was read");
        return "accepted";
      },
    }),
  }),
  documentTarget({
    name: "replicas.json",
    open: (folder) => ({
      seeds: [
        {
          formatVersion: 1,
          savedMs: NOW_MS - 500,
          replicas: [tracked, { ...tracked, id: "b" }],
          unknown: null,
        },
        {
          formatVersion: 1,
          savedMs: NOW_MS,
          replicas: [],
          unknown: { logId: LOG_ID, received: { segment: 1, offset: 0 }, sinceMs: NOW_MS },
        },
      ],
      run: (text) => runReplicas(join(folder, "replicas.json"), text),
    }),
  }),
  documentTarget({
    name: "snapshot-metadata",
    open: (folder) => ({
      seeds: [snapshot, { ...snapshot, pageCount: 0 }],
      run: (text) => {
        rmSync(folder, { recursive: true });
        mkdirSync(folder);
        for (const [name, bytes] of Object.entries({ db: 1536, sums: 24 }))
          writeFileSync(join(folder, `00000001.${name}`), Buffer.alloc(bytes));
        writeFileSync(join(folder, "00000001.json"), text);
        const [found] = SnapshotStore.open(folder).list();
        if (found === undefined) return "refused";
        must(
          found.generation === 1 && found.pageCount * found.pageSizeBytes === 1536,
          "its image is another",
        );
        must(found.createdMs <= MAX_DATE_MS, "made at a moment that no calendar has");
        must(/^[0-9a-f]{16}$/.test(found.databaseChecksum), "no checksum");
        return "accepted";
      },
    }),
  }),
  documentTarget({
    name: "start.json",
    open: (folder) => ({
      seeds: [{ formatVersion: 1, segment: 3, offset: 4096 }],
      run: (text) => {
        writeFileSync(join(folder, "start.json"), text);
        const { segment, offset } = readStart(folder)!;
        must(
          Number.isSafeInteger(segment) && Number.isSafeInteger(offset) && segment > 0,
          "no place in a log",
        );
        return "accepted";
      },
    }),
  }),
  documentTarget({
    name: "status-document",
    open: () => ({
      seeds: [primaryStatus(), replicaStatus()],
      run: (text) => {
        const parsed = nodeDocumentSchema.safeParse(parseJson(text));
        if (!parsed.success) return "refused";
        assertPrintable(statusText(parsed.data, healthOf(parsed.data), PAPER));
        assertPrintable(replicaLines(parsed.data, { ...PAPER, columns: Infinity }).join("\n"));
        return "accepted";
      },
    }),
  }),
];

function runReplicas(path: string, text: string): Outcome {
  rmSync(path, { force: true });
  writeFileSync(path, text);
  const catalogue = new SegmentCatalogue({
    folder: "",
    clock: () => NOW_MS,
    stat: () => ({ sizeBytes: 1000, modifiedMs: 0 }),
  });
  catalogue.update({ segment: 3, offset: 0 }, { segment: 9, offset: 500 });
  const limits = { keepBytes: 0, keepMs: 0, maxBytes: 1e6, holdInactiveMs: 3_600_000 };
  const extent = { catalogue, limits, damagedThrough: null };
  const before = readReplicas(path);
  const tracker = ReplicaTracker.open({
    file: path,
    clock: () => NOW_MS,
    notify: ({ text: said }) => assertPrintable(said),
  });
  tracker.follow({
    logId: LOG_ID,
    headTxid: 700,
    headCommitTimeMs: NOW_MS,
    start: { segment: 3, offset: 0 },
  });
  tracker.tick(extent);
  for (const { received } of tracker.held()) must(received.segment > 0, "the log is held from nowhere");
  for (const status of tracker.list(extent))
    must(
      replicaStatusSchema.safeParse(JSON.parse(JSON.stringify(status))).success,
      "a status that no document may have",
    );
  tracker.close();
  const after = readReplicas(path);
  must(after === undefined || !("setAsideAs" in after), "what is written is not what can be read");
  return before !== undefined && "setAsideAs" in before ? "refused" : "accepted";
}

function assertPrintable(text: string): void {
  const [found] = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.exec(text) ?? [];
  if (found !== undefined)
    throw new WrongError(`a character that a terminal obeys: U+${found.codePointAt(0)!.toString(16)}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
