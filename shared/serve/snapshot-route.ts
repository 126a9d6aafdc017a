import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { TailraceError } from "../errors.ts";
import { HEADER, parseGeneration } from "../protocol.ts";
import type { SnapshotMetadata } from "../protocol.ts";
import { isDigestRefused, isNoneMatch, isRangeValid, parseRange, prefersJson } from "./conditional.ts";
import type { SnapshotInfo } from "./engine.ts";
import { ImageDigests } from "./image-digests.ts";
import { RETRY_AFTER_SECONDS } from "./limits.ts";
import type { NodeContext, Parts } from "./parts.ts";
import { problemResponse } from "./problem.ts";
import { sendFile } from "./send-file.ts";
import { openSnapshotFile } from "./snapshot-file.ts";
import { limitTaking } from "./taking-time.ts";

const VARY = "accept, want-repr-digest";
/** Snapshots served before whose page checksums may still be asked for. */
const REMEMBERED_GENERATIONS = 4;

interface SnapshotRoutes {
  /** `GET /snapshot/latest`: the image, or what its headers say as JSON. */
  readonly latest: (c: NodeContext) => Promise<Response>;
  /** `GET /snapshot/{generation}/page-checksums`: 8 bytes a page. */
  readonly pageChecksums: (c: NodeContext) => Promise<Response>;
}

export function snapshotRoutes(parts: Parts): SnapshotRoutes {
  const remembered = new Map<number, SnapshotInfo>();
  const digests = new ImageDigests();

  /** For a pass over the whole database, in which nothing moves on the socket. */
  const unhurried = async <T>({ env: { outgoing } }: NodeContext, work: () => Promise<T>): Promise<T> => {
    outgoing.setTimeout(0);
    try {
      return await work();
    } finally {
      outgoing.setTimeout(parts.limits.idleSocketMs);
    }
  };

  const newest = async (c: NodeContext): Promise<SnapshotInfo> => {
    const { unready } = parts.state;
    if (unready !== undefined) throw unready;
    // The engine may have to take one first.
    const info = await unhurried(c, () => parts.state.snapshot());
    remembered.delete(info.generation);
    remembered.set(info.generation, info);
    for (const [generation] of remembered)
      if (remembered.size > REMEMBERED_GENERATIONS) remembered.delete(generation);
    return info;
  };

  return {
    latest: async (c) => {
      const info = await newest(c);
      // Also where only the headers are asked for: whoever looks at them comes for the rest.
      const end = await parts.holds.begin(info.generation);
      try {
        const isRefused = isDigestRefused(c.req.header("want-repr-digest"));
        const sha256 = isRefused ? undefined : await unhurried(c, () => digests.of(info));
        return await sendLatest(parts, c, metadataOf(info, sha256), info.file);
      } finally {
        end();
      }
    },
    pageChecksums: async (c) => {
      const generation = parseGeneration(c.req.param("generation") ?? "");
      const info = remembered.get(generation) ?? (await newest(c));
      if (info.generation !== generation) throw unknownGeneration(generation, info);
      const end = await parts.holds.begin(generation);
      return await sendPageChecksums(parts, c, info).finally(end);
    },
  };
}

async function sendLatest(
  parts: Parts,
  c: NodeContext,
  { "content-length": contentLength, ...headers }: SnapshotMetadata,
  path: string,
): Promise<Response> {
  if (prefersJson(c.req.header("accept"))) {
    const { etag: _imageOnly, ...others } = headers;
    const body = JSON.stringify({
      ...headers,
      "content-length": contentLength,
    } satisfies SnapshotMetadata);
    return new Response(body, {
      headers: {
        ...asText(others),
        "content-type": "application/json",
        "cache-control": "no-cache",
        vary: VARY,
      },
    });
  }
  return sendPart(parts, c, {
    path,
    sizeBytes: contentLength,
    headers: { ...asText(headers), "content-type": "application/vnd.sqlite3", vary: VARY },
  });
}

function sendPageChecksums(parts: Parts, c: NodeContext, info: SnapshotInfo): Promise<Response> {
  const { "content-length": _ofImage, etag, ...headers } = metadataOf(info);
  return sendPart(parts, c, {
    path: info.checksumsFile,
    sizeBytes: info.pageCount * 8,
    headers: {
      ...asText(headers),
      etag: etag.replace(/"$/, '-page-checksums"'),
      "content-type": "application/octet-stream",
    },
  });
}

interface SentFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Sends a file, or the part of it that is asked for, under the conditions of the request. */
async function sendPart(
  parts: Parts,
  c: NodeContext,
  { path, sizeBytes, headers }: SentFile,
): Promise<Response> {
  const { incoming, outgoing } = c.env;
  const { etag = "", "last-modified": lastModified = "" } = headers;
  const always = { ...headers, "accept-ranges": "bytes", "cache-control": "no-cache" };
  if (isNoneMatch(incoming.headers["if-none-match"], [etag]))
    return new Response(null, { status: 304, headers: always });
  if (incoming.method === "HEAD") {
    outgoing.writeHead(200, { ...always, "content-length": sizeBytes }).end();
    return RESPONSE_ALREADY_SENT;
  }
  const asked = parseRange(incoming.headers.range, sizeBytes);
  const range = isRangeValid(c.req.header("if-range"), etag, lastModified) ? asked : undefined;
  if (range === "unsatisfiable") {
    const error = new TailraceError(
      "offset_out_of_range",
      `range ${incoming.headers.range} of ${sizeBytes} bytes`,
      {
        hint: "Ask for a range within the size that content-range states.",
      },
    );
    return problemResponse(error, { "content-range": `bytes */${sizeBytes}` });
  }
  if (parts.downloads.count >= parts.limits.maxDownloads) {
    throw new TailraceError("overloaded", `${parts.downloads.count} downloads are under way already`, {
      retryable: true,
      hint: `Ask again after ${RETRY_AFTER_SECONDS} s, or another node.`,
    });
  }
  parts.downloads.count += 1;
  try {
    await using file = await openSnapshotFile(path);
    const { from, to } = range ?? { from: 0, to: sizeBytes };
    limitTaking(outgoing, to - from, parts.limits);
    outgoing.writeHead(range === undefined ? 200 : 206, {
      ...always,
      "content-length": to - from,
      ...(range === undefined ? {} : { "content-range": `bytes ${from}-${to - 1}/${sizeBytes}` }),
    });
    await sendFile(outgoing, file, { from, to }, (bytes) =>
      parts.metrics.sentBytes.inc({ kind: "snapshot" }, bytes),
    );
  } catch (error) {
    if (!outgoing.headersSent) throw error;
    // The size is promised already: only a broken connection tells the reader that it did not get it.
    outgoing.destroy();
  } finally {
    parts.downloads.count -= 1;
  }
  return RESPONSE_ALREADY_SENT;
}

function metadataOf(info: SnapshotInfo, sha256?: string): SnapshotMetadata {
  return {
    [HEADER.snapshotGeneration]: info.generation,
    [HEADER.snapshotTxid]: info.txid,
    ...(sha256 === undefined ? {} : { [HEADER.snapshotChecksum]: `sha256:${sha256}` }),
    [HEADER.snapshotDatabaseChecksum]: info.databaseChecksum,
    [HEADER.snapshotPageSize]: info.pageSizeBytes,
    [HEADER.snapshotPageCount]: info.pageCount,
    [HEADER.segment]: info.cursor.segment,
    [HEADER.offset]: info.cursor.offset,
    [HEADER.logId]: info.logId,
    [HEADER.epoch]: info.epoch,
    // The generation too: two snapshots of one image differ in where the log goes on.
    etag: `"${info.logId}-${info.generation}-${info.databaseChecksum}"`,
    "content-length": info.pageCount * info.pageSizeBytes,
    "last-modified": new Date(info.createdMs).toUTCString(),
  };
}

function asText(values: Readonly<Record<string, string | number>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
}

function unknownGeneration(generation: number, newest: SnapshotInfo): TailraceError {
  return new TailraceError(
    "snapshot_unknown",
    `no snapshot ${generation}; the newest is ${newest.generation}`,
    {
      hint: "Ask for /snapshot/latest again.",
    },
  );
}
