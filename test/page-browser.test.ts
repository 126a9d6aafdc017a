import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { StatusDocument } from "../shared/status.ts";
import { Visit, findChromium, launchChromium } from "./harness/browser.ts";
import { AUDIT } from "./harness/page-audit.ts";
import type { Audit } from "./harness/page-audit.ts";
import { PageNode } from "./harness/page-node.ts";
import * as scenes from "./harness/page-scenes.ts";

const chromium = findChromium();
if (chromium === undefined) {
  process.stderr.write("skipped: test/page-browser.test.ts needs Chromium, not on this machine\n");
}
/** A little more than the page waits before it asks again. */
const NEXT_MS = 2100;

const three = [scenes.replica("fra-1"), scenes.replica("ams-1"), scenes.replica("reporting")];
const hundreds = Array.from({ length: 200 }, (_, index) =>
  scenes.replica(`edge-${index + 1}`, index % 40 === 7 ? scenes.late : {}),
);
const trouble = [
  scenes.replica("fra-1"),
  scenes.replica("ams-1", scenes.late),
  scenes.replica("reporting", scenes.endangered),
  scenes.replica("old-laptop", scenes.lost),
  scenes.replica("staging", scenes.inactive),
  scenes.replica("a-very-long-name-without-any-place-to-break-it-".repeat(3)),
];

describe.skipIf(chromium === undefined)("the page in a browser", () => {
  let browser: Browser;
  const nodes: PageNode[] = [];
  beforeAll(async () => {
    browser = await launchChromium(chromium!);
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    for (const node of nodes.splice(0)) await node.goAway();
  });

  async function serve(document: StatusDocument, samples = 100): Promise<PageNode> {
    const node = await PageNode.start(document);
    node.history = scenes.pastOf(document, samples);
    nodes.push(node);
    return node;
  }

  test("takes over what changes, without a reload; focus, selection, scroll and what is open stay", async () => {
    const node = await serve(scenes.primaryWith(hundreds));
    await using visit = await Visit.to(browser, node.url);
    const { page } = visit;
    await page.locator("#others summary").click();
    await page.getByRole("link", { name: "edge-8" }).first().focus();
    await page.evaluate(`(() => {
      window.before = { focused: document.activeElement, row: document.getElementById("replica-edge-1") };
      getSelection().selectAllChildren(document.querySelector("#nodes h2"));
      scrollTo(0, 300);
      before.top = document.getElementById('h-lag').getBoundingClientRect().top;
    })()`);
    const changed = hundreds.map((one) => (one.id === "edge-1" ? { ...one, ...scenes.endangered } : one));
    node.document = scenes.primaryWith(changed);
    await visit.pass(NEXT_MS);
    await page.getByRole("heading", { name: "Replica edge-1 will be lost" }).waitFor();
    expect(
      await page.evaluate(`({
        isFocused: document.activeElement === before.focused,
        isSameRow: document.getElementById("replica-edge-1") === before.row,
        isFirst: document.querySelector(".replicas tbody tr") === before.row,
        isOpen: document.getElementById("others").open,
        selected: String(getSelection()),
        movedBy: document.getElementById('h-lag').getBoundingClientRect().top - before.top,
      })`),
    ).toEqual({
      isFocused: true,
      isSameRow: true,
      isFirst: true,
      isOpen: true,
      selected: "Nodes",
      movedBy: 0,
    });
    expect(await page.title()).toBe("Trouble: primary app.db · Tailrace");
    expect(await page.locator("#announcement").textContent()).toContain("error: replica endangered edge-1");
    expect(visit.complaints).toEqual([]);
    expect(visit.requests.map((url) => new URL(url).origin + "/")).toEqual(
      visit.requests.map(() => node.url),
    );
  });

  test("finds replicas by id, also while they change", async () => {
    const node = await serve(scenes.primaryWith(hundreds), 3);
    await using visit = await Visit.to(browser, node.url);
    const { page } = visit;
    await page.getByLabel("Find").fill("edge-19");
    const found = page.locator(".replicas tbody tr:visible");
    expect(await found.count()).toBe(11);
    node.document = scenes.primaryWith(hundreds.filter(({ id }) => id !== "edge-190"));
    await visit.pass(NEXT_MS);
    await page.getByText("10 of 199").waitFor();
    expect(await found.count()).toBe(10);
    expect(await page.getByLabel("Find").inputValue()).toBe("edge-19");
  });

  test("says that the node is away, and since when, and goes on by itself when it is back", async () => {
    const node = await serve(scenes.primaryWith(three));
    await using visit = await Visit.to(browser, node.url);
    const { page } = visit;
    await node.goAway();
    await visit.pass(NEXT_MS);
    await page.getByText(/This node does not answer since .*: it cannot be reached/).waitFor();
    await visit.pass(30_000);
    await page.getByText(/What you see is 3\d s old/).waitFor();
    expect(await page.title()).toBe("No answer: primary app.db · Tailrace");
    expect(await page.locator("#live").textContent()).toBe("No answer");
    await node.comeBack();
    node.document = scenes.primaryWith([...three, scenes.replica("new-one")]);
    await visit.pass(NEXT_MS);
    await page.getByRole("link", { name: "new-one" }).waitFor();
    expect(await page.locator("#gone").isVisible()).toBe(false);
    expect(await page.locator("#live").textContent()).toBe("Live");
    expect(await page.title()).toBe("primary app.db · Tailrace");
  });

  test("asks for nothing while nobody sees it, or while it is paused", async () => {
    const node = await serve(scenes.primaryWith(three));
    await using visit = await Visit.to(browser, node.url);
    const { page } = visit;
    const seen = (isHidden: boolean): Promise<unknown> =>
      page.evaluate(`(() => {
        Object.defineProperty(document, "hidden", { value: ${isHidden}, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
      })()`);
    await seen(true);
    await visit.pass(60_000);
    expect(node.requests).toEqual(["GET /"]);
    const asked = page.waitForResponse(/part=main/);
    await seen(false);
    await asked;
    await page.getByRole("button", { name: "Pause" }).click();
    const count = node.requests.length;
    await visit.pass(60_000);
    expect(node.requests).toHaveLength(count);
    expect(await page.locator("#live").textContent()).toBe("Paused 1 min ago");
    const again = page.waitForResponse(/part=main/);
    await page.getByRole("button", { name: "Go on" }).click();
    await again;
  });

  test("is readable without JavaScript, and says of when it is", async () => {
    const node = await serve(scenes.primaryWith(trouble));
    await using visit = await Visit.to(browser, node.url, { javaScriptEnabled: false });
    const { page } = visit;
    expect(await page.locator("h1").textContent()).toMatch(/Primary of\s+app.db/);
    expect(await page.getByText("As of 2026-11-21 02:08:31 UTC").isVisible()).toBe(true);
    expect(await page.getByRole("link", { name: "Reload" }).isVisible()).toBe(true);
    expect(await page.getByRole("button").count()).toBe(0);
    expect(await page.getByRole("row").count()).toBe(1 + trouble.length + 3);
    expect(visit.complaints).toEqual([]);
  });

  test("is used by keyboard: past the head at once, from node to node, back in time on a chart", async () => {
    const node = await serve(scenes.primaryWith(three));
    await using visit = await Visit.to(browser, node.url);
    const { page } = visit;
    const focused = (): Promise<string> =>
      page.evaluate(`(() => {
        const { activeElement: at } = document, { outlineStyle, outlineWidth } = getComputedStyle(at);
        return (at.getAttribute("aria-label") || at.textContent).trim().replace(/\\s+/g, " ").slice(0, 24) +
          (at === document.body || (outlineStyle !== "none" && outlineWidth !== "0px") ? "" : " (focus is not to be seen)");
      })()`);
    const order: string[] = [];
    for (let step = 0; step < 8; step++) {
      await page.keyboard.press("Tab");
      order.push(await focused());
    }
    expect(order).toEqual([
      "Skip to the content",
      "Pause",
      expect.stringMatching(/^ams-1 streaming/),
      expect.stringMatching(/^fra-1 streaming/),
      expect.stringMatching(/^reporting streaming/),
      "Lag over time. Now at mo",
      "commits in a second. Now",
      "Size of the log. Now 132",
    ]);
    const chart = page.locator("#log-chart");
    const value = chart.locator("[data-value]");
    const [now, at] = [await value.textContent(), await chart.locator("[data-at]").textContent()];
    await page.keyboard.press("Home");
    expect(await value.textContent()).not.toBe(now);
    await visit.pass(NEXT_MS);
    await page.waitForFunction("document.querySelector('#log-chart .cursor').getAttribute('d') !== ''");
    expect(await chart.locator("[data-at]").textContent()).not.toBe(at);
    await page.keyboard.press("Escape");
    expect([await value.textContent(), await chart.locator("[data-at]").textContent()]).toEqual([now, at]);
    await page.locator(".skip").focus();
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement.id")).toBe("main");
  });

  test("shows a chart's values under the pointer", async () => {
    const node = await serve(scenes.primaryWith(trouble), 720);
    await using visit = await Visit.to(browser, node.url);
    const chart = visit.page.locator("#rate-chart");
    await chart.locator(".lines").hover({ position: { x: 40, y: 80 } });
    expect(await chart.locator("[data-at]").textContent()).toMatch(/^at 01:1\d:\d\d UTC$/);
    expect(await chart.locator(".cursor").getAttribute("d")).toMatch(/^M\d/);
    await visit.page.mouse.move(0, 0);
    expect(await chart.locator(".cursor").getAttribute("d")).toBe("");
  });

  const looks = (["light", "dark"] as const).flatMap((colorScheme) =>
    [1280, 360].map((width) => ({ colorScheme, width })),
  );
  const views: readonly (readonly [string, StatusDocument])[] = [
    ["no replica", scenes.primaryWith([], { snapshots: [] })],
    ["three replicas", scenes.primaryWith(three)],
    [
      "every trouble",
      scenes.primaryWith(trouble, {
        errors: [
          { code: "storage_failed", message: "EIO", hint: "Look at the disk.", timeMs: scenes.NOW_MS },
        ],
      }),
    ],
    ["200 replicas", scenes.primaryWith(hundreds)],
    ["a replica that feeds others", scenes.replicaNode({ replicas: three, replicasTotal: 3 })],
    [
      "a replica that is cut off",
      scenes.replicaNode({
        state: "pausing",
        receiver: { state: "pausing", failures: 4, lastContactMs: scenes.NOW_MS - 64_000 },
        lag: { transactions: null, bytes: null, seconds: 64, freshAsOfMs: null },
      }),
    ],
  ];

  test.each(views)(
    "with %s fits and can be read, on a desk and a phone, by day and by night",
    async (_, document) => {
      const node = await serve(document);
      await using visit = await Visit.to(browser, node.url);
      const { page } = visit;
      for (const { colorScheme, width } of looks) {
        await page.emulateMedia({ colorScheme });
        await page.setViewportSize({ width, height: 800 });
        for (const textSize of [16, 32]) {
          await visit.setTextSize(textSize);
          const audit = await page.evaluate<Audit>(AUDIT);
          expect(audit, `${colorScheme}, ${width} px, text of ${textSize} px`).toEqual({
            contentWidth: width,
            lowContrast: [],
            unnamed: [],
            headings: expect.stringMatching(/^12+$/),
            doubleIds: [],
            brokenReferences: [],
            headlessTables: 0,
            landmarks: "banner contentinfo main",
          } satisfies Audit);
        }
      }
      expect(visit.complaints).toEqual([]);
    },
  );

  test("runs nothing that a name brings along", async () => {
    const evil = `<img src=x onerror="document.title='owned'">"><svg onload="document.title='owned'">`;
    const node = await serve(
      scenes.primaryWith([scenes.replica(evil)], {
        lastError: { code: "x", message: evil, hint: evil, timeMs: scenes.NOW_MS },
      }),
    );
    await using visit = await Visit.to(browser, node.url);
    await visit.pass(NEXT_MS);
    await visit.page.waitForResponse(/part=main/).catch(() => undefined);
    expect(await visit.page.title()).toBe("Trouble: primary app.db · Tailrace");
    expect(await visit.page.locator("main img").count()).toBe(0);
    expect(await visit.page.locator("tbody th bdi").first().textContent()).toBe(evil);
    expect(visit.complaints).toEqual([]);
  });
});
