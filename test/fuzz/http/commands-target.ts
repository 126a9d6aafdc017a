import { createServer } from "node:http";
import type { Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { runCommandLine } from "../../../src/command-line.ts";
import { commands } from "../../../src/commands.ts";
import type { Stream } from "../../../src/output.ts";
import { primaryStatus, replicaStatus } from "../../harness/status-documents.ts";
import type { Chance } from "../../harness/seed.ts";
import { buildDocumentText, proposeDocument } from "../engine/json-steps.ts";
import { must } from "../engine/target.ts";
import type { OpenTarget, Outcome, Step, Target } from "../engine/target.ts";
import { pick } from "./odd-values.ts";

const TIMEOUT_MS = 150;
/** How long a command may take that gives up after the time above. */
const MAX_MS = 5_000;
/** Of the longest answer that is read, with what a table adds to it. */
const MAX_OUTPUT_BYTES = 64 << 20;
/** What a terminal acts on, but for the end of a line and the colours of our own. */
const CONTROL = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const OWN_COLOURS = new RegExp(`${String.fromCharCode(0x1b)}\\[\\d{1,2}m`, "g");

interface AnswerStep extends Step {
  readonly op: "answer";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Ends as it should, drips, never ends, or breaks off. */
  readonly how: "whole" | "drips" | "endless" | "broken";
}

/** `tailrace status`, `replicas`, `wal`, `snapshots`, `verify` and those that act, at nodes that answer anything. */
export const commandsTarget: Target = {
  name: "http/commands",
  maxMs: MAX_MS,
  shortRun: 60,
  open: () => OpenCommands.start(),
};

const { log, replicas, snapshots, ...others } = primaryStatus() as Record<string, unknown>;
const SEGMENT = {
  segment: 1,
  sizeBytes: 1000,
  isSealed: true,
  modifiedMs: 1_700_000_000_000,
  keptFor: ["x"],
};
const SEEDS: Readonly<Record<string, readonly unknown[]>> = {
  status: [primaryStatus(), replicaStatus()],
  verify: [primaryStatus(), replicaStatus()],
  replicas: [{ ...others, replicas, replicasTotal: 2 }],
  wal: [{ ...others, log, wal: { sizeBytes: 4152 }, segments: [SEGMENT] }],
  snapshots: [{ ...others, snapshots, snapshotSinceMs: null }],
  checkpoint: [{ isComplete: false, walFrames: 3, copiedFrames: 1 }],
  snapshot: [{ snapshot: (snapshots as unknown[])[0] }, { snapshotSinceMs: 1 }],
  forget: [{ forgotten: (replicas as unknown[])[0] }],
};

class OpenCommands implements OpenTarget {
  private readonly server: Server;
  private answer: AnswerStep | undefined;
  private text = "";

  private constructor() {
    this.server = createServer((_request, response) => this.respond(response));
  }

  static async start(): Promise<OpenCommands> {
    const opened = new OpenCommands();
    await new Promise<void>((resolve) => opened.server.listen(0, "127.0.0.1", resolve));
    return opened;
  }

  propose(chance: Chance): readonly Step[] {
    const name = pick(chance, Object.keys(SEEDS));
    const steps: Step[] = [{ op: "command", name, isJson: chance.next() < 0.3 }];
    steps.push(...proposeDocument(SEEDS[name]!, chance));
    if (chance.next() < 0.1) steps.push({ op: "extremes", kind: pick(chance, ["deep", "wide", "long"]) });
    if (chance.next() < 0.15) steps.push(proposeAnswer(chance));
    return steps;
  }

  async run(steps: readonly Step[]): Promise<Outcome> {
    const command = steps.find(({ op }) => op === "command");
    if (command === undefined) return "refused";
    const name = String(command["name"]);
    this.text = withExtremes(buildDocumentText(steps), steps.find(({ op }) => op === "extremes")?.["kind"]);
    this.answer = steps.find((step): step is AnswerStep => step.op === "answer");
    const { port } = this.server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}`;
    const words = [name, url, ...(name === "verify" ? [url] : []), ...(name === "forget" ? ["x"] : [])];
    if (command["isJson"] === true) words.push("--json");
    const printed = { stdout: "", stderr: "" };
    const stream = (kind: "stdout" | "stderr"): Stream => ({
      isTTY: true,
      columns: 100,
      rows: 40,
      hasColors: () => true,
      write: (text: string | Uint8Array) => {
        printed[kind] += String(text);
        return true;
      },
    });
    const code = await runCommandLine({
      commands,
      words: [...words, "--timeout-ms", String(TIMEOUT_MS)],
      environment: {},
      streams: { stdout: stream("stdout"), stderr: stream("stderr") },
    });
    must([0, 1, 2, 3].includes(code), `exit code ${code}`);
    for (const [kind, text] of Object.entries(printed)) {
      must(text.length < MAX_OUTPUT_BYTES, `${text.length} characters on ${kind}`);
      const found = CONTROL.exec(text.replace(OWN_COLOURS, ""));
      const around = JSON.stringify(found?.input.slice(Math.max(0, found.index - 40), found.index + 20));
      must(found === null, `${kind} of ${name} has what a terminal acts on: ${around}`);
    }
    // What a node itself says of a bug of its own is passed on, with its address before it.
    const isBug = /error.{0,12} internal: (?!http)|"code":"internal","message":"(?!http)/.test(
      printed.stderr,
    );
    must(!isBug, `a bug of the command: ${printed.stderr.slice(0, 400)}`);
    return code === 0 || code === 3 ? "accepted" : "refused";
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  private respond(response: ServerResponse): void {
    const { status = 200, headers = { "tailrace-protocol": "1" }, how = "whole" } = this.answer ?? {};
    response.on("error", () => {});
    response.writeHead(status, headers);
    if (how === "whole") return void response.end(this.text);
    if (how === "broken") {
      response.write(this.text.slice(0, this.text.length / 2), () => response.destroy());
      return;
    }
    const piece = how === "drips" ? " " : " ".repeat(1 << 18);
    const timer = setInterval(() => response.write(piece), how === "drips" ? 20 : 1);
    response.on("close", () => clearInterval(timer));
  }
}

function proposeAnswer(chance: Chance): AnswerStep {
  const texts = ["\u009B31m", "a\tb", "x".repeat(5_000), "\u00FF", "http://127.0.0.1:1/", "2", "1, 2", ""];
  const names = ["location", "tailrace-protocol", "content-type", "retry-after", "content-encoding", "x"];
  return {
    op: "answer",
    status: pick(chance, [200, 201, 202, 204, 301, 308, 400, 404, 409, 418, 429, 500, 503, 599]),
    headers: { "tailrace-protocol": "1", [pick(chance, names)]: pick(chance, texts) },
    how: pick(chance, ["whole", "whole", "whole", "whole", "drips", "endless", "broken"]),
  };
}

/** The same document with something in it that is deeper, wider or longer than any node's. */
function withExtremes(text: string, kind: unknown): string {
  const added =
    kind === "deep"
      ? "[".repeat(100_000) + "]".repeat(100_000)
      : kind === "wide"
        ? `[${"0,".repeat(300_000)}0]`
        : JSON.stringify("\u001B[2J".repeat(100_000));
  if (kind === undefined || !text.startsWith("{") || text === "{}") return text;
  // In the place of what is known, and beside it.
  const names = ["unknown", "errors", "replicas", "segments", "version", "snapshots"];
  return `${text.slice(0, -1)},${names
    .slice(0, kind === "long" ? 6 : 1)
    .map((name) => `"${name}":${added}`)
    .join(",")}}`;
}
