import { describe, expect, test } from "vitest";
import { History } from "../shared/serve/history.ts";
import { PAGE_POLICY, renderPage, renderPart } from "../shared/serve/page/page.ts";
import type { ReplicaStatus, StatusDocument } from "../shared/status.ts";
import * as scenes from "./harness/page-scenes.ts";
import { PageNode } from "./harness/page-node.ts";
import { ServingNode } from "./harness/serving-node.ts";

/** What stands on the page, without its markup: how one reads it without JavaScript and without style. */
function textOf(document: StatusDocument, history = new History()): string {
  return renderPart(document, history.view())
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll(/\s+/g, " ");
}
const primary = (...replicas: ReplicaStatus[]): StatusDocument => scenes.primaryWith(replicas);

describe("the page says", () => {
  test.each([
    ["streaming", {}, ["streaming", "3 ms behind", "1 transaction · 4.1 KiB", "kept anyway"]],
    [
      "catching up",
      scenes.late,
      ["catching up", "1 min 35 s behind", "18,402 transactions", "kept for it alone"],
    ],
    ["inactive", scenes.inactive, ["inactive", "asked 12 min ago", "held for 23 h more"]],
    ["endangered", scenes.endangered, ["endangered", "lost in about 40 min", "lost after 1.2 GiB more"]],
    ["lost", scenes.lost, ["lost", "gone", "lost 4 min ago, 2 times"]],
  ])("of a replica that is %s what state it is in, and its log", (_, changes, said) => {
    const text = textOf(primary(scenes.replica("edge-1", changes)));
    for (const words of said) expect(text).toContain(words);
  });

  test("that all is well, or what is wrong and what to do, worst first", () => {
    expect(textOf(primary(scenes.replica("a")))).toContain("All is well; its replica keeps up");
    const text = textOf(primary(scenes.replica("a", scenes.late), scenes.replica("b", scenes.endangered)));
    expect(text).toMatch(
      /Replica b will be lost in 1.2 GiB of log.*and 1 more.*Error.*Bring it back.*Warning.*Replica a is/,
    );
  });

  test("of a replica's page what it follows, and whom it feeds", () => {
    const document = scenes.replicaNode({ replicas: [scenes.replica("branch")], replicasTotal: 1 });
    expect(textOf(document)).toMatch(
      /Nodes follows 10\.0\.0\.1:4800 answers .* this replica edge-1 following .* branch streaming/,
    );
    expect(renderPage(document, new History().view())).toContain('<a href="http://10.0.0.1:4800/"');
  });

  test("how large the log is, within which limits, and for whom it is so large", () => {
    const document = scenes.primaryWith([scenes.replica("slow", scenes.endangered)]);
    expect(textOf(document)).toMatch(
      /132\.9 MiB now least 1 GiB most 10 GiB Past the least size, it is kept for slow , which needs 8\.6 GiB of it/,
    );
  });

  test("the last errors, newest first, each with its code, its time and the way out", () => {
    const errors = [
      { code: "unreachable", message: "older", hint: null, timeMs: scenes.NOW_MS - 60_000 },
      { code: "storage_failed", message: "newer", hint: "Make room.", timeMs: scenes.NOW_MS - 5000 },
    ];
    expect(textOf(scenes.primaryWith([], { errors }))).toContain(
      "5 s ago storage_failed newer Make room. 1 min ago unreachable older",
    );
  });
});

describe("what is not known", () => {
  test("is said to be unknown, and never 0", () => {
    const unknown = scenes.replica("quiet", {
      appliedTxid: null,
      lagSeconds: null,
      lagTransactions: null,
      lagBytes: null,
      freshAsOfMs: null,
      bytesUntilLost: null,
      sent: null,
      address: null,
    });
    const log = {
      ...scenes.primaryWith([]).log!,
      bytesPerSecond: null,
      commitsPerSecond: null,
      maxBytes: null,
      diskFreeBytes: null,
    };
    const text = textOf(scenes.primaryWith([unknown], { log, snapshots: [] }));
    expect(text).toContain("All is well; the lag of its replica is not known");
    expect(text).toContain("lag unknown");
    expect(text).toMatch(/quiet – streaming asked just now unknown – 3:5115072/);
    expect(text).toMatch(/Growth –, – From/);
    expect(text).toContain("– free of 500 GiB");
    expect(text).toContain("no limit");
    expect(text).not.toMatch(/\b(NaN|null|undefined|Infinity)\b/);
    // The axis of a chart begins at 0.
    expect(text.replace("64 MiB 0 B", "")).not.toMatch(/\b0 (s|B|ms|transactions)\b/);
  });

  test("of a node whose engine has not spoken yet, nothing is made up", () => {
    const document = scenes.primaryWith([], {
      asOfMs: undefined,
      database: undefined,
      wal: undefined,
      log: null,
      snapshots: [],
      isReady: false,
      isEngineAnswering: false,
      unready: { code: "not_ready", message: "the node is starting" },
    });
    const text = textOf(document);
    expect(text).toContain("The node is not ready: the node is starting");
    expect(text).toContain("Who follows this node is not known yet.");
    expect(text).not.toMatch(/\b(NaN|null|undefined|Infinity)\b|none has asked/);
  });

  test("is a gap in a line", () => {
    const document = primary(scenes.replica("a"));
    const history = new History();
    for (let step = 20; step >= 1; step--) {
      const isKnown = step > 14 || step < 8;
      const replicas = [scenes.replica("a", { lagSeconds: isKnown ? 1 : null })];
      history.note({ ...document, nowMs: document.nowMs - step * 5000, replicas });
    }
    const [, line = ""] = /class="line s0" d="([^"]+)"/.exec(renderPart(document, history.view())) ?? [];
    expect(line.match(/M/g)).toHaveLength(2);
  });
});

describe("hostile text", () => {
  const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>'&amp;`;

  test("from whoever named a replica, an error or a file is text", () => {
    const document = scenes.primaryWith([scenes.replica(evil, { ...scenes.endangered, address: evil })], {
      errors: [{ code: evil, message: evil, hint: evil, timeMs: scenes.NOW_MS }],
      lastError: { code: evil, message: evil, hint: evil, timeMs: scenes.NOW_MS },
      database: {
        file: evil,
        pageSizeBytes: null,
        pageCount: null,
        sizeBytes: null,
        checksum: null,
        isReadable: true,
      },
      version: evil,
      unready: { code: evil, message: evil },
      isReady: false,
    });
    const page = renderPart(document, scenes.pastOf(document, 30).view());
    expect(page).not.toMatch(/<img|<script/);
    expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    const follower = scenes.replicaNode({ id: evil, source: `javascript:alert(1)//${evil}`, state: evil });
    const other = renderPart(follower, new History().view());
    expect(other).not.toMatch(/<img|<script|href="javascript:/);
  });

  test("that turns the direction of writing around, or is not seen, is made visible; other scripts stand by themselves", () => {
    const text = renderPart(
      primary(scenes.replica("a\u202Eb\u0000c\u200B"), scenes.replica("עזרה")),
      new History().view(),
    );
    expect(text).toContain("a\\u{202e}b\\x00c\\u{200b}");
    for (const character of "\u202E\u0000\u200B") expect(text).not.toContain(character);
    expect(text).toContain("<bdi>עזרה</bdi>");
  });

  test("a name that is no proper Unicode does not break the page", () => {
    expect(() => renderPage(primary(scenes.replica("a\uD800")), new History().view())).not.toThrow();
  });
});

describe("many replicas", () => {
  const many = Array.from({ length: 2000 }, (_, index) =>
    scenes.replica(`edge-${String(index).padStart(4, "0")}`),
  );

  test("are a bounded page, the worst of them named, the number told", () => {
    const document = scenes.primaryWith([...many, scenes.replica("slow", scenes.late)], {
      replicasTotal: 5001,
    });
    const page = renderPage(document, scenes.pastOf(document, 3).view());
    expect(page.length).toBeLessThan(600_000);
    const text = textOf(document);
    expect(text).toMatch(/5,001 replicas, worst 1 min 35 s slow/);
    expect(text).toContain("And 4,701 that do better than these");
    expect(page.match(/class="line s\d"/g)!.length).toBe(2 * (5 + 1 + 1));
  });
});

test("the answer forbids whatever the page does not need, and is kept by nobody", async () => {
  const node = await PageNode.start(primary());
  const { headers, status } = await fetch(node.url);
  await node.goAway();
  expect(status).toBe(200);
  expect(headers.get("content-security-policy")).toBe(PAGE_POLICY);
  expect(PAGE_POLICY).toMatch(/^default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+';/);
  expect(PAGE_POLICY).not.toContain("unsafe");
  expect(headers.get("cache-control")).toBe("no-store");
  expect(headers.get("x-content-type-options")).toBe("nosniff");
  expect(headers.get("referrer-policy")).toBe("no-referrer");
});

test("is at the root of every node, compressed for those who take it, and only to be read", async () => {
  await using node = await ServingNode.start({ role: "replica" });
  const page = await fetch(`${node.url}/`);
  expect(page.headers.get("content-encoding")).toBe("gzip");
  expect(await page.text()).toMatch(/<h1 id="name">\s*Replica <b>.*<script>/s);
  const plain = await fetch(`${node.url}/?part=main`, { headers: { "accept-encoding": "identity" } });
  expect(plain.headers.get("content-encoding")).toBeNull();
  expect(await plain.text()).toMatch(/^<!doctype html><title id="title">(?!.*<(script|style))/s);
  expect((await fetch(`${node.url}/`, { method: "POST" })).status).toBe(405);
});
