import { closeSync, openSync } from "node:fs";
import { TailraceError } from "../shared/errors.ts";

/** A request to stop, and what becomes of those who do not. */
export interface StopRequest {
  /** Aborted by the first SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
  /** Resolves when the stop is asked for. */
  readonly requested: Promise<void>;
  /** Asks from within, as a signal would: from here on the deadline runs. */
  readonly ask: (why: string) => void;
}

export interface StopOptions {
  /** From the first signal on; asked for at that moment. */
  readonly deadlineMs: () => number;
  /** Told before the process is ended by force. */
  readonly say: (text: string) => void;
}

/** `npm start` hands on the Ctrl-C that the terminal has sent to everybody already: one key, two signals. */
const SAME_KEY_MS = 300;

/**
 * The first SIGTERM or SIGINT asks to stop; a second one, or the deadline, ends the process where it stands (which is
 * safe: Tailrace is made to be killed at any point). A parent that started this process with an IPC channel asks by
 * closing it, or by dying: so nothing outlives the demo that started it.
 *
 * By force means by the kernel, and shows in how the process ended: by the second signal, or SIGKILL at the deadline.
 * `process.exit` would wait for threads that are within a system call, such as an fsync that takes its time.
 */
export function listenForStop({ deadlineMs, say }: StopOptions): StopRequest {
  const controller = new AbortController();
  const requested = new Promise<void>((resolve) => {
    controller.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  let askedMs = 0;
  const ask = (why: string): void => {
    if (controller.signal.aborted) return;
    askedMs = performance.now();
    controller.abort(new TailraceError("closed", `stopped by ${why}`));
    const limitMs = deadlineMs();
    setTimeout(() => {
      say(`not stopped within ${limitMs} ms: ended by force`);
      endBy("SIGKILL");
    }, limitMs).unref();
  };
  const stop = (signal: NodeJS.Signals, why: string): void => {
    if (!controller.signal.aborted) ask(why);
    else if (performance.now() - askedMs >= SAME_KEY_MS) {
      say(`second ${why}: ended by force`);
      endBy(signal);
    }
  };
  process.on("SIGTERM", () => stop("SIGTERM", "SIGTERM"));
  process.on("SIGINT", () => stop("SIGINT", "SIGINT"));
  if (process.channel !== undefined && process.channel !== null) {
    process.once("disconnect", () => stop("SIGTERM", "the parent's end"));
    process.channel.unref();
  }
  return { signal: controller.signal, requested, ask };
}

/**
 * SIGHUP asks to read the configuration again; unless the terminal from which the process was started has been closed:
 * then it means what it has always meant.
 */
export function listenForHangUp({
  reload,
  stop,
}: {
  readonly reload: () => void;
  readonly stop: StopRequest;
}): void {
  const hadTerminal = [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY);
  process.on("SIGHUP", () => {
    if (hadTerminal && !hasTerminal()) stop.ask("the terminal's end");
    else reload();
  });
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}

function endBy(signal: NodeJS.Signals): void {
  // Without listeners, the signal does what it does to any process.
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}
