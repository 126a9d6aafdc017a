/**
 * `npm run bench -- peers --help`: the same work for Tailrace, its peers, and what they are the limit of. In each repetition each
 * peer has its turn, on a cluster of its own, and the order moves on by one. A full run writes bench/results/peers.json and
 * docs/benchmarks.md.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { constants, loadavg } from "node:os";
import { readOrExit } from "../../test/harness/tool/tool.ts";
import { Workspace } from "../harness/workspace.ts";
import type { Scale } from "./contract.ts";
import { DOCUMENT, RESULT, renderDocument } from "./document.ts";
import { describeMachine } from "./machine.ts";
import { PEER_COMPARISON } from "./options.ts";
import { PEERS } from "./products.ts";
import { QUESTIONS } from "./questions.ts";
import type { PeersResult } from "./result.ts";
import { TOOLS_FOLDER } from "./tools.ts";
import { Turns } from "./turns.ts";

const FULL: Scale = { lagSeconds: 3, burstSeconds: 2, idleSeconds: 10, bulkBytes: 1e9 };
const QUICK: Scale = { lagSeconds: 1, burstSeconds: 0.5, idleSeconds: 2, bulkBytes: 5e7 };
/** On a busy machine: no repetition begins that would end later than this. */
const LIMIT_MINUTES = 20;

interface Choice {
  readonly isQuick: boolean;
  /** Nothing is measured: the document is made again of what there is. */
  readonly isRendering: boolean;
  readonly repetitions: number;
  readonly peers: typeof PEERS;
  readonly questions: typeof QUESTIONS;
}

function readChoice(argv: readonly string[]): Choice {
  const { only, questions, quick, render, repeat } = readOrExit(PEER_COMPARISON, argv);
  return {
    isQuick: quick,
    isRendering: render,
    repetitions: repeat ?? (quick ? 1 : 3),
    peers: only.length === 0 ? PEERS : PEERS.filter(({ name }) => only.includes(name)),
    questions: questions.length === 0 ? QUESTIONS : QUESTIONS.filter(({ name }) => questions.includes(name)),
  };
}

async function measure({ isQuick, repetitions, peers, questions }: Choice): Promise<PeersResult> {
  const versions = new Map(peers.map((peer) => [peer, peer.version()]));
  for (const [{ title, howToGet }, version] of versions)
    if (version === undefined)
      console.error(
        `skipped: ${title} is not installed; to get it, with TAILRACE_PEERS=${TOOLS_FOLDER}: ${howToGet}`,
      );
  const installed = peers.filter((peer) => versions.get(peer) !== undefined);
  const startedAt = new Date().toISOString();
  const start = performance.now();
  const minutes = (): number => (performance.now() - start) / 60_000;
  const machine = describeMachine();
  const scale = isQuick ? QUICK : FULL;
  const turns = new Turns(scale, questions);
  await using prepared = new Workspace();
  const interrupt = async (signal: "SIGINT" | "SIGTERM"): Promise<void> => {
    await turns.stop();
    await prepared[Symbol.asyncDispose]();
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void interrupt(signal));
  for (const peer of installed) peer.prepare?.(prepared);
  let done = 0;
  while (done < repetitions && minutes() + minutes() / Math.max(1, done) < LIMIT_MINUTES) {
    for (let place = 0; place < installed.length; place++)
      await turns.take(installed[(place + done) % installed.length]!, done);
    done++;
  }
  return {
    bench: "peers",
    startedAt,
    minutes: minutes(),
    isQuick,
    repetitions: done,
    machine: { ...machine, loadAfter: loadavg() },
    scale,
    peers: peers.map((peer) => {
      const { name, title, settings, howToGet, notes } = peer;
      const version = versions.get(peer);
      return { name, title, settings, howToGet, notes, ...(version !== undefined && { version }) };
    }),
    answers: turns.answers,
    failures: turns.failures,
  };
}

/** @returns the exit code: 1 where a peer failed at something */
export async function runPeers(argv: readonly string[]): Promise<number> {
  const choice = readChoice(argv);
  if (choice.isRendering) {
    writeFileSync(DOCUMENT, renderDocument(JSON.parse(readFileSync(RESULT, "utf8")) as PeersResult));
    return 0;
  }
  const result = await measure(choice);
  const document = renderDocument(result);
  console.log(document);
  if (choice.peers === PEERS && choice.questions === QUESTIONS && !choice.isQuick) {
    writeFileSync(RESULT, `${JSON.stringify(result, null, 2)}\n`);
    writeFileSync(DOCUMENT, document);
  } else
    console.error(
      "only a part was asked for: bench/results/peers.json and docs/benchmarks.md stay as they are",
    );
  return result.failures.length > 0 ? 1 : 0;
}
