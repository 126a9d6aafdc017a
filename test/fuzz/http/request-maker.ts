import type { Chance } from "../../harness/seed.ts";
import type { Step } from "../engine/target.ts";
import { oddNumber, pick } from "./odd-values.ts";

/** A request as plain JSON: text stands for bytes, one character a byte. */
export interface RequestStep extends Step {
  readonly op: "request";
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  /** Sent in so many pieces. */
  readonly pieces: number;
}

/** Bytes that are no request. */
export interface NoiseStep extends Step {
  readonly op: "noise";
  readonly text: string;
}

const METHODS = [
  "GET",
  "GET",
  "GET",
  "HEAD",
  "POST",
  "DELETE",
  "PUT",
  "PATCH",
  "OPTIONS",
  "TRACE",
  "QUERY",
  "PROPFIND",
];
const PATHS = [
  "/wal",
  "/wal",
  "/wal",
  "/snapshot/latest",
  "/snapshot/latest",
  "/snapshot/1/page-checksums",
  "/snapshot/%GEN/page-checksums",
  "/status",
  "/metrics",
  "/livez",
  "/readyz",
  "/healthz",
  "/",
  "/?part=main",
  "/admin/replicas",
  "/admin/replicas/%ID",
  "/admin/wal",
  "/admin/snapshots",
  "/admin/checkpoint",
  "/admin/verify",
  "/nowhere",
];
const IDS = [
  "replica-1",
  "a".repeat(128),
  "a".repeat(129),
  "",
  "%00",
  "%ff%fe",
  "%",
  "%F0%9F%A6%9D",
  "%E2%80%AE",
  "..%2f..%2fetc",
  "__proto__",
  "constructor",
  "%c3%28",
  "%ed%a0%80",
  "%u0041",
  "x%0d%0ainjected:%201",
  "%F0%9F%A6%9D".repeat(128),
  "%F0%9F%A6%9D".repeat(129),
  "%1b%5b2J",
  "<script>alert(1)</script>",
];
const NUMBERS = [
  "",
  "-1",
  "+1",
  "1e3",
  "0x1",
  "1.0",
  "NaN",
  "Infinity",
  "00000000000000001",
  "9".repeat(17),
  "%31",
  "1%20",
  "٣",
];
const RANGES = [
  "bytes=0-0",
  "bytes=0-",
  "bytes=-1",
  "bytes=-0",
  "bytes=5-2",
  "bytes=9007199254740993-",
  "bytes=0-9999999999999999",
  "bytes=0-1,3-4",
  "items=0-1",
  "bytes=",
  "bytes=4096-8191",
  `bytes=${"0-1,".repeat(2000)}0-1`,
];
const HEADERS: readonly (readonly [string, readonly string[]])[] = [
  ["wal-log-id", ["f".repeat(32), "0".repeat(31), "%LOG", "", "x".repeat(4000), "../../x"]],
  ["wal-epoch", ["0", "1", "2", "9007199254740991", "9007199254740992", "-1", "", "1, 1"]],
  ["wal-applied-checksum", ["0".repeat(16), "%SUM", "zz", "", "0x0000000000000"]],
  [
    "accept-encoding",
    ["gzip", "zstd", "zstd, gzip", "*", "*;q=0", "identity;q=0", "gzip;q=nan", ",,;=;q=", "br", "gzip;q=1e9"],
  ],
  ["accept", ["application/json", "*/*", "text/html", "application/json;q=0", ",".repeat(2000), "\u00ff"]],
  ["range", RANGES],
  ["if-range", ['"x"', 'W/"x"', "%ETAG", "Fri, 31 Dec 9999 23:59:59 GMT", "", "*"]],
  ["if-none-match", ["*", "%ETAG", "W/%ETAG", ",".repeat(3000), '"'.repeat(100), ""]],
  ["if-match", ['"x"', "*"]],
  ["origin", ["null", "http://evil.example", "http://127.0.0.1", "", "file://", "http://[::1", "\u00e9"]],
  ["sec-fetch-site", ["cross-site", "same-origin", "none", ""]],
  [
    "host",
    ["", "evil.example", "127.0.0.1:99999", "[::1", "a b", "x".repeat(5000), "127.0.0.1/@evil", "host\u00ff"],
  ],
  ["content-type", ["application/json", "text/html", "multipart/form-data; boundary=x", ""]],
  ["expect", ["100-continue", "200-ok", ""]],
  ["connection", ["close", "keep-alive", "upgrade", "transfer-encoding"]],
  ["upgrade", ["websocket", "h2c"]],
  ["te", ["trailers", "chunked"]],
  ["x-forwarded-for", ["1.2.3.4", "x".repeat(8000)]],
  ["cookie", ["a=b; ".repeat(1000)]],
  ["x-http-method-override", ["DELETE"]],
];
const BODIES = ["", "", "", "{}", "x", "[".repeat(1000), "\u0000\u00ff".repeat(500), "x".repeat(70_000)];
const NOISE = [
  "GET / HTTP/1.1\r\n",
  "GET / HTTP/9.9\r\nhost: x\r\n\r\n",
  "GET /\r\n\r\n",
  "\u0000\u0001\u0002\r\n\r\n",
  "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "GET http://evil.example/status HTTP/1.1\r\nhost: evil.example\r\n\r\n",
  "OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
  "GET * HTTP/1.1\r\nhost: x\r\n\r\n",
  "CONNECT 127.0.0.1:22 HTTP/1.1\r\nhost: x\r\n\r\n",
  "GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
  "GET / HTTP/1.1\r\nhost : x\r\n\r\n",
  "GET / HTTP/1.1\r\nhost: x\r\n folded: y\r\n\r\n",
  "GET / HTTP/1.1\r\nhost: x\r\nx\u0000y: z\r\n\r\n",
  "GET / HTTP/1.1\nhost: x\n\n",
  "GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
  "POST /admin/checkpoint HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
  "POST /admin/checkpoint HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n",
  "POST /admin/checkpoint HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
  "POST /admin/checkpoint HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
  "POST /admin/checkpoint HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
  "POST /admin/checkpoint HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
  `GET /${"a".repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`,
  `GET / HTTP/1.1\r\nhost: x\r\n${"a: b\r\n".repeat(3000)}\r\n`,
  "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
  "GET /\u00ff\u00fe HTTP/1.1\r\nhost: x\r\n\r\n",
  "GET //evil.example/status HTTP/1.1\r\nhost: x\r\n\r\n",
  "GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n",
  "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nhost: x\r\n\r\n",
  "GET /#/status HTTP/1.1\r\nhost: x\r\n\r\n",
  "get /status HTTP/1.1\r\nhost: x\r\n\r\n",
];

/** One request, mostly near to what a replica would send: what is odd everywhere is refused at the door. */
export function makeRequest(chance: Chance): RequestStep | NoiseStep {
  if (chance.next() < 0.12) return { op: "noise", text: pick(chance, NOISE) };
  const path = pick(chance, PATHS).replace("%ID", pick(chance, IDS)).replace("%GEN", numberText(chance));
  const isPlain = chance.next() < 0.6;
  const headers = Array.from({ length: isPlain ? chance.integer(0, 2) : chance.integer(0, 6) }, () => {
    const [name, values] = pick(chance, HEADERS);
    return [name, pick(chance, values)] as const;
  });
  if (path.startsWith("/snapshot") && chance.next() < 0.4) headers.push(["range", pick(chance, RANGES)]);
  return {
    op: "request",
    method: isPlain ? pick(chance, ["GET", "HEAD", "POST", "DELETE"]) : pick(chance, METHODS),
    target: path + (path.startsWith("/wal") || chance.next() < 0.2 ? queryOf(chance) : ""),
    headers,
    body: isPlain ? "" : pick(chance, BODIES),
    pieces: chance.next() < 0.9 ? 1 : chance.integer(2, 40),
  };
}

function numberText(chance: Chance): string {
  if (chance.next() < 0.25) return pick(chance, NUMBERS);
  return chance.next() < 0.5 ? String(chance.integer(0, 3)) : String(oddNumber(chance));
}

function queryOf(chance: Chance): string {
  const pairs: string[] = [];
  const add = (name: string, value: string, odds: number): void => {
    if (chance.next() < odds) pairs.push(`${name}=${value}`);
  };
  add("segment", chance.next() < 0.8 ? "1" : numberText(chance), 0.95);
  add("offset", chance.next() < 0.5 ? pick(chance, ["0", "80", "%END"]) : numberText(chance), 0.95);
  add("max_bytes", chance.next() < 0.5 ? String(chance.integer(1, 100_000)) : numberText(chance), 0.6);
  add("wait_ms", chance.next() < 0.8 ? String(chance.integer(0, 30)) : pick(chance, NUMBERS), 0.5);
  add("replica_id", pick(chance, IDS), 0.5);
  add("applied_txid", numberText(chance), 0.4);
  add("segment", "2", 0.03);
  add("%00", "%ff", 0.05);
  add("x".repeat(200), "&&&===", 0.05);
  return `?${pairs.join(pick(chance, ["&", "&", "&", "&", "&&", ";"]))}`;
}
