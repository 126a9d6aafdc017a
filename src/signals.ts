import { TailraceError } from "../shared/errors.ts";

/** A request to stop, and what becomes of those who do not. */
export interface StopRequest {
  /** Aborted by the first SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
  /** Resolves when the stop is asked for. */
  readonly requested: Promise<void>;
}

/** `npm start` hands on the Ctrl-C that the terminal has sent to everybody already: one key, two signals. */
const SAME_KEY_MS = 300;

/**
 * The first SIGTERM or SIGINT asks to stop; a second one, or the deadline, ends the process where it stands (which is
 * safe: Tailrace is made to be killed at any point). A parent that started this process with an IPC channel asks by
 * closing it, or by dying: so nothing outlives the demo that started it.
 */
export function listenForStop(deadlineMs: number, say: (text: string) => void): StopRequest {
  const controller = new AbortController();
  const requested = new Promise<void>((resolve) => {
    controller.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  let askedMs = 0;
  const stop = (exitCode: number, name: string): void => {
    if (controller.signal.aborted && performance.now() - askedMs < SAME_KEY_MS) return;
    if (controller.signal.aborted) {
      say(`second ${name}: stopping at once`);
      process.exit(exitCode);
    }
    askedMs = performance.now();
    controller.abort(new TailraceError("closed", `stopped by ${name}`));
    setTimeout(() => {
      say(`not stopped within ${deadlineMs} ms: giving up`);
      process.exit(1);
    }, deadlineMs).unref();
  };
  process.on("SIGTERM", () => stop(143, "SIGTERM"));
  process.on("SIGINT", () => stop(130, "SIGINT"));
  if (process.channel !== undefined && process.channel !== null) {
    process.once("disconnect", () => stop(1, "the parent's end"));
    process.channel.unref();
  }
  return { signal: controller.signal, requested };
}
