import { join } from "node:path";
import { onTestFinished, expect, test } from "vitest";
import { hashPage } from "../shared/format/page-hash.ts";
import { NO_MARK } from "../shared/format/position.ts";
import type { Position, StatePoint } from "../shared/format/position.ts";
import { PageTable } from "../shared/pages/page-table.ts";
import { temporaryFolder } from "../test/harness/folder.ts";
import { Applier } from "./applier.ts";
import type { Batch } from "./batch.ts";

/* The last look at a batch before readers see it. The log copy and its reader have looked before: here nothing else does. */

const PAGE_BYTES = 512;

type Images = Readonly<Record<number, string>>;

const image = (text: string): Buffer => Buffer.alloc(PAGE_BYTES, text);

function stateOf(txid: number, images: Images): StatePoint {
  const pages = Object.entries(images);
  const checksum = pages.reduce((sum, [page, text]) => sum ^ hashPage(Number(page), image(text)), 0n);
  return { txid, cursor: { segment: 1, offset: 80 + txid }, checksum, pageCount: pages.length };
}

const BEFORE: Images = { 1: "a", 2: "b" };
const AFTER: Images = { 1: "a", 2: "c", 3: "d" };
const SOUND: Batch = {
  from: stateOf(4, BEFORE),
  to: stateOf(6, AFTER),
  records: 2,
  commitTimeMs: 0,
  epoch: 1,
  pages: new Map([
    [2, 0],
    [3, PAGE_BYTES],
  ]),
  images: Buffer.concat([image("c"), image("d")]),
};

/** An applier at transaction 4, over a database and a position file that write down what is done to them. */
function standing(): {
  readonly applier: Applier;
  readonly done: string[];
  readonly foreignCommit: () => void;
} {
  const done: string[] = [];
  let change = 7;
  const appender = {
    pageSizeBytes: PAGE_BYTES,
    begin: () => ({ change, mxFrame: 0 }),
    append: (page: number) => done.push(`frame of page ${page}`),
    commit: ({ beforePublish }: { beforePublish: (intended: object) => void }) => {
      change += 1;
      beforePublish({ change, mxFrame: 2 });
      done.push("published");
      return { change, mxFrame: 2 };
    },
    abort: () => undefined,
  };
  const positionFile = {
    write: ({ applied, intent }: Position) => done.push(`at ${applied.txid}, on the way to ${intent.txid}`),
  };
  const table = PageTable.create(join(temporaryFolder(), "pages.sum"));
  onTestFinished(() => table.close());
  for (const [page, text] of Object.entries(BEFORE))
    table.set(Number(page), hashPage(Number(page), image(text)));
  table.resize(2);
  const { from } = SOUND;
  const position = { applied: from, intent: from, left: { ...NO_MARK, change } };
  const applier = new Applier({
    appender,
    table,
    positionFile,
    position,
    logFolder: "",
  } as unknown as ConstructorParameters<typeof Applier>[0]);
  return { applier, done, foreignCommit: () => (change += 1) };
}

test("a batch becomes one commit, which is written down before and after it can be seen", () => {
  const { applier, done } = standing();
  expect([...applier.apply(SOUND)]).toEqual([]);
  expect(done).toEqual([
    "frame of page 2",
    "frame of page 3",
    "at 4, on the way to 6",
    "published",
    "at 6, on the way to 6",
  ]);
  expect(applier).toMatchObject({ isExact: true, position: { applied: SOUND.to } });
});

test.each([
  ["begins after a gap", { from: { ...SOUND.from, txid: 5 } }],
  ["begins where the replica was before", { from: { ...SOUND.from, txid: 3 } }],
  ["begins at the same transaction of another history", { from: { ...SOUND.from, checksum: 1n } }],
  ["does not come out at the checksum that it states", { to: { ...SOUND.to, checksum: 1n } }],
  ["cuts off a page that its checksum has", { to: { ...SOUND.to, pageCount: 2 } }],
])("a batch that %s is not published, and the replica stays where it is", (_what, wrong) => {
  const { applier, done } = standing();
  expect(() => [...applier.apply({ ...SOUND, ...wrong })]).toThrow(
    expect.objectContaining({ code: "diverged" }),
  );
  expect(done).not.toContain("published");
  expect(applier).toMatchObject({ isExact: true, position: { applied: SOUND.from, intent: SOUND.from } });
  expect([...applier.apply(SOUND)]).toEqual([]);
});

test("nothing is written over what another process has committed", () => {
  const { applier, done, foreignCommit } = standing();
  foreignCommit();
  expect(() => [...applier.apply(SOUND)]).toThrow(expect.objectContaining({ code: "foreign_write" }));
  expect(done).toEqual([]);
});
