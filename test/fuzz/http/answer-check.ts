import { crc32, gunzipSync, zstdDecompressSync } from "node:zlib";
import type { z } from "zod";
import {
  checkpointOutcomeSchema,
  forgottenDocumentSchema,
  replicasDocumentSchema,
  snapshotTakenDocumentSchema,
  snapshotsDocumentSchema,
  walDocumentSchema,
} from "../../../shared/admin.ts";
import { problemSchema, snapshotMetadataSchema } from "../../../shared/protocol.ts";
import { statusSchema } from "../../../shared/status.ts";
import { verificationStatusSchema } from "../../../shared/verification/verification-status.ts";
import { nodeDocumentSchema } from "../../../src/node-document.ts";
import { WrongError, must } from "../engine/target.ts";
import type { RawAnswer } from "./raw-exchange.ts";

/** What the protocol has, and what Node itself answers to what is no request: 400, 408, 413, 417, 431. */
const STATUSES = [200, 201, 202, 206, 304, 400, 403, 404, 405, 408, 409, 410, 413, 416, 417, 431, 503];
const BY_NODE = [400, 408, 413, 417, 431];
const SINGLE = /^(content-length|content-type|etag|wal-.*|snapshot-.*|tailrace-protocol|cache-control)$/;

const DOCUMENTS: Readonly<Record<string, z.ZodType>> = {
  "GET /status": nodeDocumentSchema.and(statusSchema),
  "GET /admin/replicas": replicasDocumentSchema,
  "DELETE /admin/replicas": forgottenDocumentSchema,
  "GET /admin/wal": walDocumentSchema,
  "GET /admin/snapshots": snapshotsDocumentSchema,
  "POST /admin/snapshots": snapshotTakenDocumentSchema,
  "POST /admin/checkpoint": checkpointOutcomeSchema,
  "GET /admin/verify": verificationStatusSchema,
  "POST /admin/verify": verificationStatusSchema,
};

/** @throws WrongError unless it is an answer that a node may give to that request */
export function checkAnswer(method: string, target: string, answer: RawAnswer): void {
  const { status, headers, head } = answer;
  const what = `${method} ${target.slice(0, 100)} → ${status}`;
  must(STATUSES.includes(status), `${what}: a status that is not documented`);
  checkHead(what, head);
  for (const [name, values] of headers)
    must(values.length === 1 || !SINGLE.test(name), `${what}: ${name} comes ${values.length} times`);
  const type = headers.get("content-type")?.[0] ?? "";
  if (headers.get("tailrace-protocol") === undefined) {
    must(BY_NODE.includes(status) && answer.body.length === 0, `${what}: no word on the protocol\n${head}`);
    return;
  }
  if (method === "HEAD" || status === 304) return;
  if (status >= 400) return checkProblem(what, answer, type);
  checkDocument(what, method, target, answer, type);
}

function checkHead(what: string, head: string): void {
  for (const [index, line] of head.split("\r\n").entries()) {
    const isSound =
      index === 0 ? /^HTTP\/1\.1 \d{3} [\w' ()-]*$/.test(line) : /^[\w-]+: ?[\t\u0020-\u007E]*$/.test(line);
    must(isSound, `${what}: an odd line ${JSON.stringify(line)}`);
  }
}

function checkProblem(what: string, { status, body }: RawAnswer, type: string): void {
  must(type === "application/problem+json", `${what}: ${type}`);
  const problem = problemSchema.safeParse(parse(what, body));
  must(problem.success, `${what}: no problem document: ${body.toString().slice(0, 200)}`);
  const { code, detail, status: stated } = problem.data;
  must(code !== "internal", `${what}: internal: ${detail}`);
  must(stated === status && detail !== "" && detail.length < 2000, `${what}: ${detail.slice(0, 200)}`);
}

function checkDocument(what: string, method: string, target: string, answer: RawAnswer, type: string): void {
  const path = target.replace(/[?#].*$/, "");
  if (path === "/wal") return checkChunk(what, answer);
  if (path === "/snapshot/latest" && type === "application/json") {
    must(snapshotMetadataSchema.safeParse(parse(what, answer.body)).success, `${what}: no description`);
    return;
  }
  if (answer.status === 206) checkRange(what, answer);
  const key = `${method} ${path.replace(/^\/admin\/replicas\/.*/, "/admin/replicas")}`;
  const schema = DOCUMENTS[key];
  if (schema === undefined) return;
  const parsed = schema.safeParse(parse(what, answer.body));
  must(parsed.success, `${what}: ${parsed.success ? "" : parsed.error.message.slice(0, 500)}`);
}

function checkChunk(what: string, { headers, body }: RawAnswer): void {
  const encoding = headers.get("content-encoding")?.[0];
  const bytes =
    encoding === "gzip" ? gunzipSync(body) : encoding === "zstd" ? zstdDecompressSync(body) : body;
  const stated = headers.get("wal-checksum")?.[0];
  const found = `crc32:${crc32(bytes).toString(16).padStart(8, "0")}`;
  must(stated === found, `${what}: ${bytes.length} bytes with ${found}, stated as ${stated}`);
  for (const name of ["wal-next-segment", "wal-next-offset", "wal-head-txid", "wal-epoch", "wal-time"])
    must(/^\d{1,16}$/.test(headers.get(name)?.[0] ?? ""), `${what}: ${name} is ${headers.get(name)?.[0]}`);
}

function checkRange(what: string, { headers, body }: RawAnswer): void {
  const stated = headers.get("content-range")?.[0] ?? "";
  const { from, to, size } = /^bytes (?<from>\d+)-(?<to>\d+)\/(?<size>\d+)$/.exec(stated)?.groups ?? {};
  const length = Number(to) - Number(from) + 1;
  must(length === body.length && Number(to) < Number(size), `${what}: ${stated} over ${body.length} bytes`);
}

function parse(what: string, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    throw new WrongError(`${what}: no JSON: ${body.toString("latin1", 0, 200)}`);
  }
}
