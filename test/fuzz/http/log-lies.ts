import { crc32, gzipSync, zstdCompressSync } from "node:zlib";
import { encodeSegmentHeader } from "../../../shared/format/segment.ts";
import type { Chance } from "../../harness/seed.ts";
import { checksumWith, forge, manyPages } from "./forge.ts";
import type { Forgery } from "./forge.ts";
import type { Answering, Asked } from "./lying-node.ts";
import { oddHeaderValue, oddNumber, pick } from "./odd-values.ts";

/** Makes up one way to lie, from chance. */
export type Lie = (chance: Chance) => Answering;

/** Only about the log; the rest is honest. */
function aboutLog(answer: (asked: Asked) => Promise<void> | void): Answering {
  return async (asked) => {
    if (asked.path !== "/wal") return false;
    await answer(asked);
    return true;
  };
}

interface Cursor {
  readonly segment: number;
  readonly offset: number;
}

function askedCursor({ query }: Asked): Cursor {
  return { segment: Number(query.get("segment")), offset: Number(query.get("offset")) };
}

/** The headers of a sound answer to what is asked. */
function soundHeaders({ primary }: Asked, bytes: Uint8Array, next: Cursor): Record<string, string> {
  return {
    "tailrace-protocol": "1",
    "wal-log-id": primary.logId,
    "wal-epoch": "1",
    "wal-next-segment": String(next.segment),
    "wal-next-offset": String(next.offset),
    "wal-eof": "0",
    "wal-checksum": `crc32:${crc32(bytes).toString(16).padStart(8, "0")}`,
    "wal-head-txid": String(primary.txid + 1),
    "wal-head-segment": String(next.segment),
    "wal-head-offset": String(next.offset),
    "wal-time": String(Date.now()),
  };
}

function send(asked: Asked, bytes: Buffer, lies: Record<string, string> = {}, isSealed = false): void {
  if (bytes.length > 0) asked.fed();
  const { segment, offset } = askedCursor(asked);
  const next = isSealed ? { segment: segment + 1, offset: 0 } : { segment, offset: offset + bytes.length };
  asked.response.writeHead(200, { ...soundHeaders(asked, bytes, next), ...lies }).end(bytes);
}

/** A record that is sound but for what it says; nothing more after it. */
function record(make: (asked: Asked) => Forgery): Answering {
  return aboutLog((asked) => {
    const { segment, offset } = asked.primary.cursor;
    const cursor = askedCursor(asked);
    const isNext = cursor.segment === segment && cursor.offset === offset;
    send(asked, isNext ? forge(asked.primary, make(asked)) : Buffer.alloc(0));
  });
}

function status(code: number, headers: Record<string, string>, body: string | Buffer = ""): Answering {
  return aboutLog(({ response }) => void response.writeHead(code, headers).end(body));
}

const problem = (code: string, chance: Chance): string =>
  JSON.stringify({ code, detail: oddHeaderValue(chance).repeat(20), hint: "\u001B[2J", retryable: true });

const HEADERS = [
  "wal-log-id",
  "wal-epoch",
  "wal-next-segment",
  "wal-next-offset",
  "wal-eof",
  "wal-checksum",
  "wal-head-txid",
  "wal-head-segment",
  "wal-head-offset",
  "wal-head-time",
  "wal-time",
  "wal-fresh-time",
  "age",
  "content-encoding",
  "tailrace-protocol",
];
const PROTOCOL = { "tailrace-protocol": "1" };

/** Lies in answers to `GET /wal`. */
export const logLies: Readonly<Record<string, Lie>> = {
  "a header that says something odd": (chance) => {
    const name = pick(chance, HEADERS);
    const value = oddHeaderValue(chance);
    return aboutLog((asked) => send(asked, Buffer.alloc(0), { "wal-eof": "1", [name]: value }));
  },
  "nothing, at once, and says that it is all": () =>
    aboutLog((asked) => send(asked, Buffer.alloc(0), { "wal-eof": "1" })),
  "nothing, at once, and says that there is more": () => aboutLog((asked) => send(asked, Buffer.alloc(0))),
  "nothing but the way to the next segment": () =>
    aboutLog((asked) => send(asked, Buffer.alloc(0), {}, true)),
  "segments with nothing but a header": () =>
    aboutLog((asked) => {
      const { segment, offset } = askedCursor(asked);
      const { primary } = asked;
      if (offset > 0) return send(asked, Buffer.alloc(0), {}, true);
      send(
        asked,
        encodeSegmentHeader({
          pageSizeBytes: 4096,
          logId: primary.logId,
          epoch: 1,
          segment,
          firstTxid: primary.txid + 1,
          checksumBefore: BigInt(`0x${primary.checksum}`),
          createdMs: 1,
          pageCountBefore: primary.pageCount,
        }),
        {},
        true,
      );
    }),
  "a record whose fragments never end": () => {
    let index = 0;
    const pages = manyPages(1, 7);
    return aboutLog((asked) => send(asked, forge(asked.primary, { fragmentIndex: index++, pages })));
  },
  "a record of empty fragments that never end": () => {
    let index = 0;
    return aboutLog((asked) =>
      send(
        asked,
        Buffer.concat(Array.from({ length: 500 }, () => forge(asked.primary, { fragmentIndex: index++ }))),
      ),
    );
  },
  "a record of some size, number or page that cannot be": (chance) => {
    const claims: Forgery = pick<() => Forgery>(chance, [
      () => ({ txid: oddNumber(chance) }),
      () => ({ epoch: oddNumber(chance), databasePageCount: 3 }),
      () => ({ commitTimeMs: oddNumber(chance), databasePageCount: 3 }),
      () => ({ pageSizeBytes: pick(chance, [512, 8192, 65_536]), databasePageCount: 3 }),
      () => ({ fragmentIndex: chance.integer(1, 2 ** 32 - 1) }),
      () => ({ checksumBefore: BigInt(chance.integer(0, 2 ** 31)), databasePageCount: 3 }),
      () => ({ databasePageCount: chance.integer(1, 2 ** 32 - 1) }),
    ])();
    return record(() => claims);
  },
  "a database that grows without its pages": (chance) => {
    // What there is room for, and what there is not.
    const grown = pick(chance, [7_000, 20_000, 50_000, 2 ** 32 - 2]);
    return record(() => ({ databasePageCount: grown }));
  },
  "a page far beyond the database, within its stated size": (chance) => {
    const page = chance.integer(100_000, 2 ** 32 - 2);
    const pages = [{ page, image: Buffer.alloc(4096, 9) }];
    return record(({ primary }) => ({
      pages,
      databasePageCount: page,
      checksumAfter: checksumWith(BigInt(`0x${primary.checksum}`), pages),
    }));
  },
  "pages that are no database's, well formed": () =>
    record(({ primary }) => {
      const pages = manyPages(primary.pageCount + 1, 3);
      return {
        pages,
        databasePageCount: primary.pageCount + pages.length,
        checksumAfter: checksumWith(BigInt(`0x${primary.checksum}`), pages),
      };
    }),
  "a record of a version to come": () =>
    aboutLog((asked) => {
      const bytes = forge(asked.primary, { databasePageCount: 3 });
      bytes.writeUInt32LE(0x8000_0000, 64);
      bytes.writeUInt32LE(crc32(bytes.subarray(0, 92)), 92);
      send(asked, bytes);
    }),
  "noise with a right checksum": (chance) =>
    aboutLog((asked) => send(asked, Buffer.from(Array.from({ length: 5000 }, () => chance.integer(0, 255))))),
  "a bomb of gzip": () =>
    aboutLog((asked) => send(asked, gzipSync(Buffer.alloc(8 << 20)), { "content-encoding": "gzip" })),
  "a bomb of zstd": () =>
    aboutLog((asked) => send(asked, zstdCompressSync(Buffer.alloc(8 << 20)), { "content-encoding": "zstd" })),
  "a redirect to elsewhere": (chance) =>
    status(pick(chance, [301, 302, 303, 307, 308]), {
      ...(chance.next() < 0.5 ? PROTOCOL : {}),
      location: pick(chance, ["http://127.0.0.1:1/wal", "file:///etc/passwd", "//elsewhere/", "\u007F"]),
    }),
  "a problem, with an absurd pause": (chance) => {
    const [code, name] = pick(chance, [
      [409, "log_diverged"],
      [409, "stale_epoch"],
      [410, "segment_trimmed"],
      [404, "segment_unknown"],
      [416, "offset_out_of_range"],
      [400, "invalid_request"],
      [403, "forbidden"],
      [500, "internal"],
      [503, "overloaded"],
      [503, "closed"],
      [503, "page_size_changed"],
      [429, "__proto__"],
      [204, "nothing"],
      [304, "nothing"],
    ] as const);
    const pause = pick(chance, ["1e308", "-5", "99999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "NaN", "0"]);
    return status(code, { ...PROTOCOL, "retry-after": pause }, problem(name, chance));
  },
  "a problem without end": () =>
    aboutLog(({ response }) => {
      response.writeHead(500, PROTOCOL);
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(1 << 16, 0x20)));
      };
      response.on("drain", more);
      more();
    }),
  "a problem that is very deep": () => status(409, PROTOCOL, "[".repeat(60_000)),
  "that its log is trimmed, again and again": () => {
    let turn = 0;
    return async (asked) => {
      // Each resync succeeds, and the next request after it is refused again.
      if (asked.path !== "/wal" || turn++ % 2 === 0) return false;
      asked.response.writeHead(410, PROTOCOL).end(JSON.stringify({ code: "segment_trimmed" }));
      return true;
    };
  },
  "bytes that are no HTTP": (chance) => {
    const text = pick(chance, [
      "SSH-2.0-OpenSSH_9.9\r\n",
      "HTTP/1.1 200 OK\r\nwal-log-id: a\r\n b\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
      `HTTP/1.1 200 OK\r\nx: ${"y".repeat(100_000)}\r\n\r\n`,
      "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000),
      "\u0000".repeat(1000),
    ]);
    return aboutLog(({ request }) => {
      request.socket.end(text);
    });
  },
};
