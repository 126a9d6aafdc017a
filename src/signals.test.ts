import { execFileSync, spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { afterEach, expect, test } from "vitest";

const children: ChildProcessByStdio<Writable, Readable, Readable>[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

interface Started {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** The next line that it prints. */
  readonly line: () => Promise<string>;
  /** Its exit code, or the signal that ended it. */
  readonly exit: Promise<unknown>;
}

/** A process of that script, which sees `listenForStop` and `listenForHangUp`, and prints `ready` first. */
async function start(script: string): Promise<Started> {
  const child = spawn(
    process.execPath,
    [
      "--input-type=module",
      "--eval",
      `const { listenForStop, listenForHangUp } = await import(${JSON.stringify(new URL("signals.ts", import.meta.url).href)});
       ${script}`,
    ],
    { stdio: ["pipe", "pipe", "pipe"] },
  );
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => String((await lines.next()).value);
  const exit = once(child, "exit").then(([code, signal]: unknown[]) => code ?? signal);
  expect(await line()).toBe("ready");
  return { child, line, exit };
}

/** A process that never stops by itself. It says `ready`, then `asked`, and half a second later `still here`. */
function stubborn(deadlineMs: number, more = ""): Promise<Started> {
  return start(`
    const { requested } = listenForStop({ deadlineMs: () => ${deadlineMs}, say: console.log });
    setInterval(() => {}, 1000);
    ${more}
    console.log("ready");
    await requested;
    console.log("asked");
    setTimeout(() => console.log("still here"), 500);`);
}

test("the first signal asks, the second forces", async () => {
  const { child, line, exit } = await stubborn(60_000);
  child.kill("SIGTERM");
  expect(await line()).toBe("asked");
  expect(await line()).toBe("still here");
  child.kill("SIGINT");
  expect(await line()).toBe("second SIGINT: ended by force");
  expect(await exit).toBe("SIGINT");
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
  expect(await line()).toBe("not stopped within 50 ms: ended by force");
  expect(await exit).toBe("SIGKILL");
});

test("also while a thread of it hangs in a system call, which process.exit would wait for", async () => {
  const { child, line, exit } = await stubborn(
    50,
    `const { Worker } = await import("node:worker_threads");
     const { once } = await import("node:events");
     const thread = new Worker(
       'require("node:worker_threads").parentPort.postMessage("in it"); require("node:fs").readSync(0, Buffer.alloc(1));',
       { eval: true, execArgv: [] });
     await once(thread, "message");`,
  );
  child.kill("SIGTERM");
  expect(await line()).toBe("asked");
  expect(await line()).toBe("not stopped within 50 ms: ended by force");
  expect(await exit).toBe("SIGKILL");
});

test("SIGHUP asks to reload, and does not end the process", async () => {
  const { child, line } = await start(`
    const stop = listenForStop({ deadlineMs: () => 60_000, say: console.log });
    listenForHangUp({ reload: () => console.log("reload"), stop });
    setInterval(() => {}, 1000);
    console.log("ready");
    await stop.requested;
    console.log("asked");`);
  child.kill("SIGHUP");
  expect(await line()).toBe("reload");
  child.kill("SIGHUP");
  expect(await line()).toBe("reload");
  child.kill("SIGTERM");
  expect(await line()).toBe("asked");
});

/** Runs the words that follow in a terminal of their own, hands on what they print, and closes the terminal after `ready`. */
const IN_A_TERMINAL = `
import os, pty, sys
child, terminal = pty.fork()
if child == 0:
    os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND), 1)
    os.execvp(sys.argv[2], sys.argv[2:])
with open(sys.argv[1]) as said:
    while "ready" not in said.read():
        said.seek(0)
os.close(terminal)
os.waitpid(child, 0)
print(open(sys.argv[1]).read(), end="")
`;

test("SIGHUP of a terminal that was closed asks to stop, as it always has", () => {
  const folder = mkdtempSync(join(tmpdir(), "tailrace-signals-"));
  try {
    const output = join(folder, "output");
    writeFileSync(output, "");
    const script = `
      const { listenForStop, listenForHangUp } = await import(${JSON.stringify(new URL("signals.ts", import.meta.url).href)});
      const stop = listenForStop({ deadlineMs: () => 60_000, say: console.log });
      listenForHangUp({ reload: () => console.log("reload"), stop });
      const timer = setInterval(() => {}, 1000);
      console.log("ready");
      await stop.requested;
      console.log("asked by " + stop.signal.reason.message);
      clearInterval(timer);`;
    const words = [output, process.execPath, "--input-type=module", "--eval", script];
    const said = execFileSync("python3", ["-c", IN_A_TERMINAL, ...words], {
      encoding: "utf8",
      timeout: 20_000,
    });
    expect(said).toBe("ready\nasked by stopped by the terminal's end\n");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
