import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "vitest";
import { DOCUMENT, RESULT, renderDocument } from "./document.ts";
import { findLosses } from "./losses.ts";
import type { Answer, PeersResult } from "./result.ts";

const peer = (name: string, version?: string): PeersResult["peers"][number] => ({
  name,
  title: `The ${name}`,
  settings: "as ever",
  howToGet: `apt-get install ${name}`,
  notes: name === "copy" ? { lag: "Follows nothing." } : {},
  ...(version !== undefined && { version }),
});

const QUESTIONS = {
  p50At100: "lag",
  mebibytes: "memory",
  with1: "reads",
  percent: "idle",
  off: "writer-cost",
} as const;

const answer = (name: string, metric: keyof typeof QUESTIONS, ...values: number[]): Answer => ({
  question: QUESTIONS[metric],
  peer: name,
  metric,
  values,
});

function sample(overrides: Partial<PeersResult> = {}): PeersResult {
  return {
    bench: "peers",
    startedAt: "2026-11-21T07:00:00.000Z",
    minutes: 12.3,
    isQuick: false,
    repetitions: 3,
    machine: {
      processor: "A processor",
      cores: 2,
      memoryBytes: 24 * 2 ** 30,
      kernel: "Linux 6",
      fileSystem: "ext4",
      node: "v24",
      loadBefore: [0.1, 0.1, 0.1],
      loadAfter: [1.5, 1, 0.5],
    },
    scale: { lagSeconds: 3, burstSeconds: 2, idleSeconds: 10, bulkBytes: 1e9 },
    peers: [peer("tailrace", "1.0"), peer("rival", "15.18"), peer("absent"), peer("copy", "9.1")],
    answers: [
      answer("tailrace", "p50At100", 2, 1, 3),
      answer("rival", "p50At100", 0.5, 0.6, 2.5),
      answer("tailrace", "mebibytes", 250, 260, 270),
      answer("rival", "mebibytes", 1_300, 1_200, 1_250.4),
    ],
    failures: [],
    ...overrides,
  };
}

function lossesWith(ownReads: number): number {
  const answers = [answer("tailrace", "with1", ownReads), answer("rival", "with1", 1_000)];
  return findLosses(sample({ answers })).length;
}

function lineOf(document: string, start: string): string | undefined {
  return document.split("\n").find((line) => line.startsWith(start));
}

test("docs/benchmarks.md is what bench/results/peers.json gives", () => {
  const result = JSON.parse(readFileSync(RESULT, "utf8")) as PeersResult;
  assert.equal(readFileSync(DOCUMENT, "utf8"), renderDocument(result));
});

test("a cell has the median of the repetitions, the least and the greatest", () => {
  const document = renderDocument(sample());
  assert.match(lineOf(document, "| The tailrace | 2 (1–3) |") ?? "", /\| – \|/);
  assert.ok(lineOf(document, "| The rival | 1,250 (1,200–1,300) |"));
});

test("a peer that cannot do something stands in the table with the reason", () => {
  const document = renderDocument(sample());
  assert.ok(lineOf(document, "| The copy<sup>1</sup> | – |"));
  assert.equal(lineOf(document, "1. "), "1. Follows nothing.");
});

test("a peer that failed stands there with what it said", () => {
  const failures = [{ peer: "rival", question: "lag", message: "took more than 120 s" }] as const;
  const document = renderDocument(sample({ failures }));
  assert.ok(lineOf(document, "| The rival<sup>1</sup> | 0.6 (0.5–2.5) |"));
  assert.equal(lineOf(document, "1. "), "1. Failed: took more than 120 s.");
});

test("a peer that is not installed is named with how to get it, and has no figures", () => {
  const document = renderDocument(sample());
  assert.match(lineOf(document, "| The absent |") ?? "", /not installed.*`apt-get install absent`/);
  assert.equal(document.split("\n").filter((line) => line.startsWith("| The absent")).length, 1);
});

test("where others are better is found, by how much, and whether repetitions overlap", () => {
  const found = findLosses(sample());
  assert.deepEqual(
    found.map(({ metric, peer: { name }, doesOverlap }) => [metric.name, name, doesOverlap]),
    [["p50At100", "rival", true]],
  );
  assert.equal(found[0]!.factor, 2 / 0.6);
});

test("more is better where it is: fewer reads are a loss, a difference of less than 5 % is none", () => {
  assert.deepEqual([500, 960, 2_000].map(lossesWith), [1, 0, 0]);
});

test("what only explains other figures is no loss, nor is what cannot be told apart", () => {
  const answers = [
    answer("tailrace", "off", 100),
    answer("rival", "off", 900),
    answer("tailrace", "percent", 0.2),
    answer("rival", "percent", 0.1),
  ];
  assert.deepEqual(findLosses(sample({ answers })), []);
});

test("a run on a busy machine says so", () => {
  const { machine } = sample();
  const busy = renderDocument(sample({ machine: { ...machine, loadBefore: [7, 7, 7] } }));
  assert.match(busy, /was busy with other work/);
  assert.doesNotMatch(renderDocument(sample()), /was busy/);
});
