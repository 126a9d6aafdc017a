import { createHash } from "node:crypto";
import { readFileSync, rmSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { get, problem, statusOf, until } from "../../test/harness/http.ts";
import { LOG_ID, ServingNode, whenReady } from "../../test/harness/serving-node.ts";
import { TailraceError } from "../errors.ts";
import { HEADER, snapshotMetadataSchema } from "../protocol.ts";
import type { SnapshotInfo } from "./engine.ts";

const SIZE = 7 * 512;
const WITHOUT_DIGEST = { "want-repr-digest": "sha-256=0" };

async function readyNode(): Promise<ServingNode & { info: SnapshotInfo }> {
  const node = await ServingNode.start();
  node.commit(3);
  await whenReady(node.url);
  const info = node.makeSnapshot(1, 7);
  node.snapshot = () => info;
  return Object.assign(node, { info });
}

describe("GET /snapshot/latest", () => {
  test("gives the image, with every header of the contract", async () => {
    await using node = await readyNode();
    const answer = await get(`${node.url}/snapshot/latest`);
    expect(answer.status).toBe(200);
    expect(answer.body.equals(readFileSync(node.info.file))).toBe(true);
    expect(answer.headers).toMatchObject({
      "content-type": "application/vnd.sqlite3",
      "content-length": String(SIZE),
      "accept-ranges": "bytes",
      "snapshot-generation": "1",
      "snapshot-txid": "3",
      "snapshot-checksum": `sha256:${createHash("sha256").update(answer.body).digest("hex")}`,
      "snapshot-database-checksum": node.info.databaseChecksum,
      "snapshot-page-size": "512",
      "snapshot-page-count": "7",
      "wal-segment": "1",
      "wal-offset": String(node.log.end.offset),
      "wal-log-id": LOG_ID,
      "wal-epoch": "1",
      "tailrace-protocol": "1",
      "last-modified": "Tue, 14 Nov 2023 22:13:20 GMT",
    });
    expect(answer.headers.etag).toMatch(/^"[^"]+"$/);
  });

  test("HEAD gives the headers alone", async () => {
    await using node = await readyNode();
    const whole = await get(`${node.url}/snapshot/latest`);
    const head = await get(`${node.url}/snapshot/latest`, {
      method: "HEAD",
      headers: { range: "bytes=0-1" },
    });
    expect(head.status).toBe(200);
    expect(head.body.length).toBe(0);
    for (const [name, value] of Object.entries(whole.headers)) {
      if (name === "date" || name === "connection") continue;
      expect(head.headers[name]).toBe(value);
    }
  });

  test("Accept: application/json gives the headers as one document", async () => {
    await using node = await readyNode();
    const { headers } = await get(`${node.url}/snapshot/latest`);
    for (const accept of ["application/json", "application/json, */*", "Application/JSON;q=0.5"]) {
      const answer = await get(`${node.url}/snapshot/latest`, { headers: { accept } });
      expect(answer.status).toBe(200);
      expect(answer.headers["content-type"]).toBe("application/json");
      expect(answer.headers[HEADER.snapshotGeneration]).toBe("1");
      const document = snapshotMetadataSchema.parse(JSON.parse(answer.body.toString()));
      for (const [name, value] of Object.entries(document)) expect(headers[name]).toBe(String(value));
      expect(Object.keys(document).length).toBe(13);
    }
    for (const accept of [
      "*/*",
      "application/octet-stream, application/json;q=0.9",
      "application/json;q=0",
      "text/html",
    ]) {
      const answer = await get(`${node.url}/snapshot/latest`, { headers: { accept } });
      expect(answer.headers["content-type"]).toBe("application/vnd.sqlite3");
    }
  });

  test.each([
    ["bytes=0-0", 0, 1],
    ["bytes=0-99", 0, 100],
    ["bytes=100-", 100, SIZE],
    ["bytes=-1", SIZE - 1, SIZE],
    ["bytes=-99999", 0, SIZE],
    ["bytes=3000-99999", 3000, SIZE],
    [`bytes=${SIZE - 1}-${SIZE - 1}`, SIZE - 1, SIZE],
    ["Bytes=5-6", 5, 7],
  ])("206 for range %s", async (range, from, to) => {
    await using node = await readyNode();
    const answer = await get(`${node.url}/snapshot/latest`, { headers: { range } });
    expect(answer.status).toBe(206);
    expect(answer.headers["content-range"]).toBe(`bytes ${from}-${to - 1}/${SIZE}`);
    expect(answer.headers["content-length"]).toBe(String(to - from));
    expect(answer.body.equals(readFileSync(node.info.file).subarray(from, to))).toBe(true);
    expect(answer.headers[HEADER.snapshotPageCount]).toBe("7");
  });

  test.each([
    "bytes=0-1,5-6",
    "bytes=9-3",
    "bytes=",
    "bytes=-",
    "items=0-1",
    "bytes=x-y",
    "bytes=99999999999999999-",
  ])("a range that is not understood (%s) gives the whole", async (range) => {
    await using node = await readyNode();
    const answer = await get(`${node.url}/snapshot/latest`, { headers: { range } });
    expect(answer.status).toBe(200);
    expect(answer.body.length).toBe(SIZE);
  });

  test.each([`bytes=${SIZE}-`, "bytes=99999-100000", "bytes=-0"])(
    "416 for range %s, with the size",
    async (range) => {
      await using node = await readyNode();
      const answer = await get(`${node.url}/snapshot/latest`, { headers: { range } });
      expect(answer.status).toBe(416);
      expect(answer.headers["content-range"]).toBe(`bytes */${SIZE}`);
      expect(problem(answer).code).toBe("offset_out_of_range");
    },
  );

  test("If-Range: the part while it is the same image, the whole once it is another", async () => {
    await using node = await readyNode();
    const url = `${node.url}/snapshot/latest`;
    const first = await get(url);
    const etag = first.headers.etag!;
    const resume = (condition: string): ReturnType<typeof get> =>
      get(url, { headers: { range: "bytes=1000-", "if-range": condition } });
    expect((await resume(etag)).status).toBe(206);
    expect((await resume(first.headers["last-modified"]!)).status).toBe(206);
    for (const other of ['"other"', `W/${etag}`, "Tue, 14 Nov 2023 22:13:21 GMT"])
      expect((await resume(other)).status).toBe(200);

    const newer = node.makeSnapshot(2, 9);
    node.snapshot = () => newer;
    const answer = await resume(etag);
    expect(answer.status).toBe(200);
    expect(answer.headers[HEADER.snapshotGeneration]).toBe("2");
    expect(answer.body.length).toBe(9 * 512);
    // A range that the new image does not even have is no reason for 416.
    const beyond = await get(url, { headers: { range: "bytes=999999-", "if-range": etag } });
    expect(beyond.status).toBe(200);
  });

  test("If-None-Match: 304 while it is the same", async () => {
    await using node = await readyNode();
    const { headers } = await get(`${node.url}/snapshot/latest`);
    const same = await get(`${node.url}/snapshot/latest`, { headers: { "if-none-match": headers.etag! } });
    expect(same.status).toBe(304);
    expect(same.body.length).toBe(0);
    expect(same.headers.etag).toBe(headers.etag);
    expect(same.headers[HEADER.snapshotGeneration]).toBe("1");
    expect((await get(`${node.url}/snapshot/latest`, { headers: { "if-none-match": '"x"' } })).status).toBe(
      200,
    );
  });

  test("an empty database is an empty image", async () => {
    await using node = await readyNode();
    node.snapshot = () => node.makeSnapshot(2, 0);
    const answer = await get(`${node.url}/snapshot/latest`);
    expect(answer.status).toBe(200);
    expect(answer.body.length).toBe(0);
    expect(answer.headers["content-length"]).toBe("0");
    expect((await get(`${node.url}/snapshot/latest`, { headers: { range: "bytes=0-" } })).status).toBe(416);
  });

  test("a large image arrives whole, also out of several ranges", async () => {
    await using node = await readyNode();
    const info = node.makeSnapshot(2, 8000);
    node.snapshot = () => info;
    const image = readFileSync(info.file);
    expect((await get(`${node.url}/snapshot/latest`)).body.equals(image)).toBe(true);
    const parts = await Promise.all(
      [0, 1, 2, 3].map((part) =>
        get(`${node.url}/snapshot/latest`, {
          headers: { range: `bytes=${part * 1_024_000}-${(part + 1) * 1_024_000 - 1}` },
        }),
      ),
    );
    expect(Buffer.concat(parts.map(({ body }) => body)).equals(image)).toBe(true);
  });

  test("those who ask at once share one call to the engine", async () => {
    await using node = await readyNode();
    const { promise, resolve } = Promise.withResolvers<void>();
    node.snapshot = async () => {
      await promise;
      return node.info;
    };
    const asked = Array.from({ length: 10 }, () => get(`${node.url}/snapshot/latest`));
    // By the time that this one is answered, all ten have been received.
    await statusOf(node.url);
    await statusOf(node.url);
    resolve();
    for (const { status } of await Promise.all(asked)) expect(status).toBe(200);
    expect(node.snapshotCalls).toBeLessThan(10);
  });

  test("what the engine cannot do is said with its code", async () => {
    await using node = await readyNode();
    node.snapshot = () => {
      throw new TailraceError("storage_failed", "no space left on device", {
        retryable: true,
        hint: "Free some.",
      });
    };
    const answer = await get(`${node.url}/snapshot/latest`);
    expect(answer.status).toBe(503);
    expect(answer.headers["retry-after"]).toBe("1");
    expect(problem(answer)).toMatchObject({ code: "storage_failed", hint: "Free some.", retryable: true });
    node.unready(new TailraceError("not_ready", "closing", { retryable: true }));
    const closing = await until(
      () => get(`${node.url}/snapshot/latest`),
      ({ body }) => body.toString().includes("closing"),
    );
    expect(closing.status).toBe(503);
  });

  test("an image that has just been removed is 404 snapshot_unknown, to be asked for again", async () => {
    await using node = await readyNode();
    unlinkSync(node.info.file);
    const answer = await get(`${node.url}/snapshot/latest`);
    expect(answer.status).toBe(404);
    expect(problem(answer)).toMatchObject({ code: "snapshot_unknown", retryable: true });
  });

  test("an image that is too short on disk breaks off: nobody takes it for whole", async () => {
    await using node = await readyNode();
    truncateSync(node.info.file, 1000);
    const asked = get(`${node.url}/snapshot/latest`, { headers: WITHOUT_DIGEST });
    await expect(asked).rejects.toThrow(/aborted|hang up|ECONNRESET/);
    expect(await statusOf(node.url)).toMatchObject({ downloads: 0 });
  });

  test("whoever refuses the digest gets the image without: it is not read for that", async () => {
    await using node = await readyNode();
    writeFileSync(node.info.file, Buffer.alloc(SIZE));
    for (const method of ["HEAD", "GET"] as const) {
      const answer = await get(`${node.url}/snapshot/latest`, { method, headers: WITHOUT_DIGEST });
      expect(answer.status).toBe(200);
      expect(answer.headers).not.toHaveProperty("snapshot-checksum");
      expect(answer.headers.vary).toContain("want-repr-digest");
    }
    const other = { "want-repr-digest": "sha-512=0, sha-256=1" };
    expect((await get(`${node.url}/snapshot/latest`, { headers: other })).status).toBe(503);
  });

  test.each([
    ["is too short", (file: string) => truncateSync(file, 1000)],
    ["has other pages", (file: string) => writeFileSync(file, Buffer.alloc(SIZE))],
  ])("of an image that %s no digest is told, until it is well again", async (_what, spoil) => {
    await using node = await readyNode();
    const image = readFileSync(node.info.file);
    spoil(node.info.file);
    const answer = await get(`${node.url}/snapshot/latest`);
    expect(answer.status).toBe(503);
    expect(problem(answer).code).toBe("damaged");
    writeFileSync(node.info.file, image);
    expect((await get(`${node.url}/snapshot/latest`)).body.equals(image)).toBe(true);
  });

  test("one pass over the image gives the digest for all that ask, of each of several generations", async () => {
    await using node = await readyNode();
    const url = `${node.url}/snapshot/latest`;
    const [first] = await Promise.all([get(url), get(url)]);
    // Whoever read it once more would find another image.
    writeFileSync(node.info.file, Buffer.alloc(SIZE));
    const again = await get(url, { method: "HEAD" });
    expect(again.headers["snapshot-checksum"]).toBe(first.headers["snapshot-checksum"]);
    for (let generation = 2; generation <= 6; generation++) {
      const info = node.makeSnapshot(generation, generation === 3 ? 1100 : 3);
      node.snapshot = () => info;
      const { headers, body } = await get(url);
      const sha256 = createHash("sha256").update(body).digest("hex");
      expect(headers["snapshot-checksum"]).toBe(`sha256:${sha256}`);
    }
    node.snapshot = () => node.info;
    expect((await get(url)).status).toBe(503);
  });

  test("past the limit of downloads: 503 overloaded; who goes away makes room", async () => {
    await using node = await ServingNode.start({ limits: { maxDownloads: 2 } });
    node.commit(1);
    await whenReady(node.url);
    const info = node.makeSnapshot(1, 60_000);
    node.snapshot = () => info;
    const readers = [0, 1].map(() => {
      const socket = connect(Number(new URL(node.url).port), "127.0.0.1");
      socket.write("GET /snapshot/latest HTTP/1.1\r\nhost: x\r\n\r\n");
      return socket;
    });
    await until(
      () => statusOf(node.url),
      ({ downloads }) => downloads === 2,
    );
    const refused = await get(`${node.url}/snapshot/latest`);
    expect(refused.status).toBe(503);
    expect(refused.headers["retry-after"]).toBe("1");
    expect(problem(refused).code).toBe("overloaded");
    expect((await get(`${node.url}/snapshot/latest`, { method: "HEAD" })).status).toBe(200);
    for (const reader of readers) reader.destroy();
    await until(
      () => statusOf(node.url),
      ({ downloads }) => downloads === 0,
    );
    expect((await get(`${node.url}/snapshot/latest`)).status).toBe(200);
  });

  test("a socket on which nothing moves is closed, and its download ends", async () => {
    await using node = await ServingNode.start({ limits: { idleSocketMs: 500 } });
    node.commit(1);
    await whenReady(node.url);
    const info = node.makeSnapshot(1, 60_000);
    node.snapshot = () => info;
    const socket = connect(Number(new URL(node.url).port), "127.0.0.1");
    socket.on("error", () => {});
    socket.write("GET /snapshot/latest HTTP/1.1\r\nhost: x\r\n\r\n");
    // On a busy machine the limit may hit a question too.
    const downloads = async (): Promise<unknown> =>
      (await statusOf(node.url).catch((): Record<string, unknown> => ({})))["downloads"];
    await until(downloads, (count) => count === 1);
    await until(downloads, (count) => count === 0);
    socket.destroy();
  });
});

describe("a generation that is downloaded", () => {
  const paths = ["/snapshot/latest", "/snapshot/1/page-checksums"];

  test.each(paths)("is held by the engine before the first byte goes out: %s", async (path) => {
    await using node = await readyNode();
    const hearing = Promise.withResolvers<void>();
    node.engine.methods.report = (report) => {
      node.engine.reports.push(report);
      return hearing.promise;
    };
    let isAnswered = false;
    const download = get(`${node.url}${path}`).finally(() => (isAnswered = true));
    await expect.poll(() => node.engine.reports.at(-1)?.heldGenerations, { interval: 1 }).toEqual([1]);
    await get(`${node.url}/livez`);
    expect(isAnswered).toBe(false);
    hearing.resolve();
    expect((await download).status).toBe(200);
    // And on, for the way back to the log.
    await get(`${node.url}/status`);
    expect(node.engine.reports.at(-1)?.heldGenerations).toEqual([1]);
  });

  test.each(paths)("is not given away while the engine cannot be told: %s", async (path) => {
    await using node = await ServingNode.start({ limits: { engineAnswerMs: 10 } });
    node.commit(1);
    await whenReady(node.url);
    node.engine.methods.report = () => new Promise(() => {});
    const answer = await get(`${node.url}${path}`);
    expect(answer.status).toBe(503);
    expect(problem(answer)).toMatchObject({ code: "timeout", retryable: true });
  });
});

describe("GET /snapshot/{generation}/page-checksums", () => {
  test("gives 8 bytes a page of the newest snapshot, and of those served just before", async () => {
    await using node = await readyNode();
    const first = await get(`${node.url}/snapshot/1/page-checksums`);
    expect(first.status).toBe(200);
    expect(first.body.equals(Buffer.alloc(7 * 8, 1))).toBe(true);
    expect(first.headers).toMatchObject({
      "content-type": "application/octet-stream",
      "content-length": "56",
      "snapshot-generation": "1",
      "wal-log-id": LOG_ID,
    });
    const newer = node.makeSnapshot(2, 9);
    node.snapshot = () => newer;
    await get(`${node.url}/snapshot/latest`);
    expect((await get(`${node.url}/snapshot/2/page-checksums`)).body.equals(Buffer.alloc(9 * 8, 2))).toBe(
      true,
    );
    expect((await get(`${node.url}/snapshot/1/page-checksums`)).status).toBe(200);
    rmSync(node.info.checksumsFile);
    const gone = await get(`${node.url}/snapshot/1/page-checksums`);
    expect(gone.status).toBe(404);
    expect(problem(gone).code).toBe("snapshot_unknown");
  });

  test("has an entity tag of its own, and ranges", async () => {
    await using node = await readyNode();
    const image = await get(`${node.url}/snapshot/latest`);
    const sums = await get(`${node.url}/snapshot/1/page-checksums`);
    expect(sums.headers.etag).not.toBe(image.headers.etag);
    const part = await get(`${node.url}/snapshot/1/page-checksums`, { headers: { range: "bytes=8-15" } });
    expect(part.status).toBe(206);
    expect(part.body.length).toBe(8);
    const same = await get(`${node.url}/snapshot/1/page-checksums`, {
      headers: { "if-none-match": sums.headers.etag! },
    });
    expect(same.status).toBe(304);
  });

  test("404 snapshot_unknown for any other generation, 400 for what is none", async () => {
    await using node = await readyNode();
    const unknown = await get(`${node.url}/snapshot/99/page-checksums`);
    expect(unknown.status).toBe(404);
    expect(problem(unknown).code).toBe("snapshot_unknown");
    for (const generation of ["0", "-1", "latest", "1e3"]) {
      const answer = await get(`${node.url}/snapshot/${generation}/page-checksums`);
      expect(answer.status).toBe(400);
      expect(problem(answer)).toMatchObject({
        code: "invalid_request",
        key: "generation",
        value: generation,
      });
    }
  });
});
