import type { Lie } from "./log-lies.ts";
import type { Answering, Asked, Honest } from "./lying-node.ts";
import { oddHeaderValue, oddNumber, pick } from "./odd-values.ts";

const TRIMMED = JSON.stringify({ code: "segment_trimmed", detail: "gone" });

/** Sends a replica to the snapshot, and lies about that. */
function aboutSnapshot(answer: Answering): Answering {
  return async (asked) => {
    if (asked.path === "/wal") {
      asked.response.writeHead(410, { "tailrace-protocol": "1" }).end(TRIMMED);
      return true;
    }
    return await answer(asked);
  };
}

/** The honest answer under other headers. */
function headers(lies: Readonly<Record<string, string>>): Answering {
  return aboutSnapshot(async (asked) => {
    const { status, headers: honest, body } = await asked.honest();
    const isHead = asked.request.method === "HEAD";
    asked.response.writeHead(status, { ...honest, ...lies }).end(isHead ? undefined : body);
    return true;
  });
}

/** Another body, without a word on its length. */
function anotherBody(make: (honest: Honest) => Buffer): Answering {
  return aboutSnapshot(async (asked) => {
    if (asked.request.method === "HEAD") return false;
    const honest = await asked.honest();
    const { "content-length": _of, ...others } = honest.headers;
    asked.response.writeHead(honest.status, others).end(make(honest));
    return true;
  });
}

const HEADERS = [
  "snapshot-generation",
  "snapshot-txid",
  "snapshot-checksum",
  "snapshot-database-checksum",
  "snapshot-page-size",
  "snapshot-page-count",
  "wal-segment",
  "wal-offset",
  "wal-log-id",
  "wal-epoch",
  "etag",
  "content-range",
  "tailrace-protocol",
];

const isSums = ({ path }: Asked): boolean => path.endsWith("/page-checksums");

/** Lies in answers about snapshots; a replica comes for one because its log is said to be trimmed. */
export const snapshotLies: Readonly<Record<string, Lie>> = {
  "a header that says something odd": (chance) =>
    headers({ [pick(chance, HEADERS)]: oddHeaderValue(chance) }),
  "many headers that say something odd": (chance) =>
    headers(Object.fromEntries(HEADERS.map((name) => [name, oddHeaderValue(chance)]))),
  "a number that is odd": (chance) =>
    headers({ [pick(chance, HEADERS.slice(0, 10))]: String(oddNumber(chance)) }),
  "an image larger than any disk": (chance) =>
    headers({
      "snapshot-page-count": String(chance.integer(2 ** 28, 2 ** 32 - 2)),
      "snapshot-page-size": "65536",
    }),
  "a name that is no header": (chance) =>
    headers({ etag: pick(chance, ["\u00FF\u0080", "", " ", "a\tb", "é".repeat(100), '"'.repeat(3000)]) }),
  "the same snapshot, larger than it is": () =>
    aboutSnapshot(async (asked) => {
      const { status, headers: honest, body: image } = await asked.honest();
      const pages = Number(honest["snapshot-page-count"]) + 100;
      const { "content-length": _of, ...others } = honest;
      const isHead = asked.request.method === "HEAD";
      const longer = isSums(asked) ? image : Buffer.concat([image, Buffer.alloc(4096 * 50)]);
      asked.response.writeHead(status, { ...others, "snapshot-page-count": String(pages) });
      if (isHead) asked.response.end();
      else asked.response.write(longer, () => setTimeout(() => asked.response.destroy(), 5));
      return true;
    }),
  "page checksums of nothing, and a database as large": (chance) => {
    const pages = chance.integer(100_000, 1_000_000);
    return aboutSnapshot(async (asked) => {
      const { status, headers: honest, body: sums } = await asked.honest();
      const { "content-length": _of, ...others } = honest;
      asked.response.writeHead(status, { ...others, "snapshot-page-count": String(pages) });
      const lie = isSums(asked) ? Buffer.concat([sums, Buffer.alloc(8 * (pages - sums.length / 8))]) : sums;
      asked.response.end(asked.request.method === "HEAD" ? undefined : lie);
      return true;
    });
  },
  "a body that is too short": (chance) =>
    anotherBody(({ body: all }) => all.subarray(0, chance.integer(0, all.length - 1))),
  "a body that is too long": () =>
    anotherBody(({ body: all }) => Buffer.concat([all, Buffer.alloc(1 << 20)])),
  "a body with one byte that differs": (chance) =>
    anotherBody(({ body: all }) => {
      const changed = Buffer.from(all);
      if (changed.length > 0) changed[chance.integer(0, changed.length - 1)]! ^= 1 << chance.integer(0, 7);
      return changed;
    }),
  "a body without end": () =>
    aboutSnapshot(async (asked) => {
      const { response, request } = asked;
      if (request.method === "HEAD") return false;
      const { status, headers: honest } = await asked.honest();
      const { "content-length": _of, ...others } = honest;
      response.writeHead(status, others);
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(1 << 16, 5)));
      };
      response.on("drain", more);
      more();
      return true;
    }),
  "another snapshot each time": () => {
    let generation = 100;
    return aboutSnapshot(async (asked) => {
      const { status, headers: honest, body: image } = await asked.honest();
      generation += 1;
      const lies = { "snapshot-generation": String(generation), etag: `"${generation}"` };
      const isHead = asked.request.method === "HEAD";
      asked.response.writeHead(status, { ...honest, ...lies }).end(isHead ? undefined : image);
      return true;
    });
  },
  "a problem instead": (chance) => {
    const code = pick(chance, ["snapshot_unknown", "not_ready", "damaged", "invalid_request", "closed"]);
    const statusCode = pick(chance, [400, 404, 410, 416, 500, 503]);
    return aboutSnapshot(({ response }) => {
      response
        .writeHead(statusCode, { "tailrace-protocol": "1", "retry-after": "1e9" })
        .end(JSON.stringify({ code, detail: "x" }));
      return true;
    });
  },
};
