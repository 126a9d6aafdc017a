import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { afterEach, expect, test } from "vitest";

const children: ChildProcessByStdio<null, Readable, Readable>[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A process that never stops by itself. It says `ready`, then `asked`, and half a second later `still here`. */
async function stubborn(deadlineMs: number): Promise<{
  child: ChildProcessByStdio<null, Readable, Readable>;
  line: () => Promise<string>;
  exit: Promise<unknown>;
}> {
  const script = `
    const { listenForStop } = await import(${JSON.stringify(new URL("signals.ts", import.meta.url).href)});
    const { requested } = listenForStop(${deadlineMs}, console.log);
    setInterval(() => {}, 1000);
    console.log("ready");
    await requested;
    console.log("asked");
    setTimeout(() => console.log("still here"), 500);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => String((await lines.next()).value);
  const exit = once(child, "exit").then(([code]: unknown[]) => code);
  expect(await line()).toBe("ready");
  return { child, line, exit };
}

test("the first signal asks, the second forces", async () => {
  const { child, line, exit } = await stubborn(60_000);
  child.kill("SIGTERM");
  expect(await line()).toBe("asked");
  expect(await line()).toBe("still here");
  child.kill("SIGINT");
  expect(await line()).toBe("second SIGINT: stopping at once");
  expect(await exit).toBe(130);
});

test("two signals at once are one: a Ctrl-C that comes by way of npm too", async () => {
  const { child, line } = await stubborn(60_000);
  child.kill("SIGINT");
  expect(await line()).toBe("asked");
  child.kill("SIGINT");
  expect(await line()).toBe("still here");
});

test("who does not stop within the deadline is ended", async () => {
  const { child, line, exit } = await stubborn(50);
  child.kill("SIGTERM");
  expect(await line()).toBe("asked");
  expect(await line()).toBe("not stopped within 50 ms: giving up");
  expect(await exit).toBe(1);
});
