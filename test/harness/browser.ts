import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";
import type { Browser, BrowserContext, CDPSession, BrowserContextOptions, Page } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"] as const;
/** A browser that does what the page asks for, and nothing of its own. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Where this machine has a Chromium; undefined: nowhere on the path. */
export function findChromium(path: string = process.env["PATH"] ?? ""): string | undefined {
  return path
    .split(delimiter)
    .flatMap((folder) => NAMES.map((name) => join(folder, name)))
    .find((file) => existsSync(file));
}

/** A new one, with a profile of its own that is gone when it is closed. */
export function launchChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}

/** A page in a profile of its own, and what went wrong on it. Its time is the test's to move. */
export class Visit implements AsyncDisposable {
  readonly page: Page;
  /** Errors and warnings on the console, violations of the policy, and exceptions. */
  readonly complaints: string[] = [];
  /** All that it has asked for, wherever. */
  readonly requests: string[] = [];
  private readonly context: BrowserContext;
  private cdp: CDPSession | undefined;

  static async to(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Visit> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const visit = new Visit(context, await context.newPage());
    await visit.page.clock.install();
    await visit.page.goto(url);
    return visit;
  }

  private constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(error.message));
    page.on("request", (request) => this.requests.push(request.url()));
  }

  /** The page's clock goes on, and with it whatever waits for it. */
  async pass(ms: number): Promise<void> {
    await this.page.clock.runFor(ms);
  }

  /** As a reader's own setting of the browser. */
  async setTextSize(px: number): Promise<void> {
    this.cdp ??= await this.context.newCDPSession(this.page);
    await this.cdp.send("Page.setFontSizes", { fontSizes: { standard: px } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
  }
}
