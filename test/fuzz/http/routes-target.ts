import type { StatusDocument } from "../../../shared/status.ts";
import type { Chance } from "../../harness/seed.ts";
import { must } from "../engine/target.ts";
import type { OpenTarget, Outcome, Step, Target } from "../engine/target.ts";
import { checkAnswer } from "./answer-check.ts";
import { NodePair } from "./node-pair.ts";
import type { NodeName } from "./node-pair.ts";
import { exchange } from "./raw-exchange.ts";
import { makeRequest } from "./request-maker.ts";
import type { NoiseStep, RequestStep } from "./request-maker.ts";

/** Requests that go out on one connection, one behind the other. */
const MAX_PIPELINED = 4;
/** Longer than the longest `wait_ms` that is asked for, and what a snapshot or checkpoint takes on a busy machine. */
const ANSWER_MS = 15_000;
/** What is no whole request is waited for by a node, and need not be waited for here. */
const NOISE_MS = 30;
const COMMIT_EVERY = 50;

type SentStep = RequestStep | NoiseStep;

/** What stands for something that only the running node knows: as it was at the last commit. */
interface Known {
  readonly logId: string;
  readonly checksum: string;
  readonly endOffset: string;
  readonly etag: string;
}

/** Every route of a primary and of a replica, by raw requests. */
export const routesTarget: Target = {
  name: "http/routes",
  maxMs: 2 * ANSWER_MS,
  shortRun: 150,
  open: async (folder) => new OpenRoutes(await NodePair.start(folder)),
};

class OpenRoutes implements OpenTarget {
  private readonly pair: NodePair;
  private known: Partial<Record<NodeName, Known>> = {};
  private runs = 0;

  constructor(pair: NodePair) {
    this.pair = pair;
  }

  propose(chance: Chance): readonly Step[] {
    const node = { op: "to", node: chance.next() < 0.7 ? "primary" : "replica" };
    const count = chance.next() < 0.7 ? 1 : chance.integer(2, MAX_PIPELINED);
    return [node, ...Array.from({ length: count }, () => makeRequest(chance))];
  }

  async run(steps: readonly Step[]): Promise<Outcome> {
    const node = steps.find(({ op }) => op === "to")?.["node"] === "replica" ? "replica" : "primary";
    const sent = steps.filter((step): step is SentStep => step.op === "request" || step.op === "noise");
    const outcome = sent.length === 0 ? "refused" : await this.send(node, sent);
    this.runs += 1;
    if (this.runs % COMMIT_EVERY === 0) {
      await this.pair.commit();
      this.pair.check();
      this.known = {};
    }
    return outcome;
  }

  async close(): Promise<void> {
    try {
      await this.pair.commit();
      this.pair.check();
    } finally {
      await this.pair.close();
    }
  }

  private async send(node: NodeName, sent: readonly SentStep[]): Promise<Outcome> {
    const known = (this.known[node] ??= await this.ask(node));
    const hasNoise = sent.some(({ op }) => op === "noise");
    const methods = sent.map((step) =>
      step.op === "request" ? step.method : (/^\w+/.exec(step.text)?.[0] ?? "GET"),
    );
    const { answers, rest, end } = await exchange({
      port: this.pair.port(node),
      pieces: sent.flatMap((step) => bytesOf(step, known)),
      methods,
      isEnding: false,
      limitMs: hasNoise ? NOISE_MS : ANSWER_MS,
    });
    const isRefused = answers.some(({ status }) => status >= 400);
    // What is odd ends the connection, and with it what stands behind it.
    const isWhole = end === "answered" || hasNoise || answers.length > 0 || end === "closed";
    must(isWhole, `no answer within ${ANSWER_MS} ms: ${methods.join(", ")}`);
    answers.forEach((answer, index) => {
      const step = sent[index]!;
      if (step.op === "request") checkAnswer(step.method, step.target, answer);
      else checkAnswer(methods[index]!, targetOf(step.text), answer);
    });
    must(end !== "answered" || rest.length === 0, `${rest.length} bytes behind the last answer`);
    return isRefused ? "refused" : "accepted";
  }

  private async ask(node: NodeName): Promise<Known> {
    const { log, snapshots } = (await this.pair.status(node)) as unknown as StatusDocument;
    return {
      logId: log?.logId ?? "",
      checksum: log?.databaseChecksum ?? "",
      endOffset: String(log?.end.offset ?? 0),
      etag: `"${log?.logId}-${snapshots.at(-1)?.generation ?? 1}"`,
    };
  }
}

function targetOf(text: string): string {
  return /^\w+ (?:https?:\/\/[^/]*)?(\S*)/.exec(text)?.[1] ?? "";
}

function bytesOf(step: SentStep, known: Known): Buffer[] {
  if (step.op === "noise") return [Buffer.from(step.text, "latin1")];
  const fill = (text: string): string =>
    text
      .replace("%LOG", known.logId)
      .replace("%SUM", known.checksum)
      .replace("%END", known.endOffset)
      .replace("%ETAG", known.etag);
  const { method, target, headers, body, pieces } = step;
  const names = headers.map(([name]) => name);
  const host = names.includes("host") ? "" : "host: 127.0.0.1\r\n";
  const lines = headers.map(([name, value]) => `${name}: ${fill(value)}\r\n`).join("");
  const length = body === "" ? "" : `content-length: ${body.length}\r\n`;
  const text = `${method} ${fill(target)} HTTP/1.1\r\n${host}${lines}${length}\r\n${body}`;
  const bytes = Buffer.from(text, "latin1");
  const size = Math.ceil(bytes.length / pieces);
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}
