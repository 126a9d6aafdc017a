import { asTailraceError } from "../shared/errors.ts";
import type { TailraceError } from "../shared/errors.ts";
import { notice } from "../shared/notice.ts";
import type { Call } from "./command.ts";
import { EXIT_DONE, exitCodeOf } from "./exit-code.ts";
import { createNodeLog } from "./log/node-log.ts";
import type { NodeLog } from "./log/node-log.ts";
import type { NodeSettings } from "./configuration/node-settings.ts";
import { Reloader } from "./configuration/reload.ts";
import { listenForHangUp } from "./signals.ts";
import type { StopRequest } from "./signals.ts";

/** What the process gives to a serving node. */
export interface Serving<Settings> {
  readonly log: NodeLog;
  readonly stop: StopRequest;
  /**
   * Resolves with the exit code when the process is told to stop, or the node has failed; that is logged then, and not
   * thrown, so that it is told before whatever may come of closing the rest.
   */
  readonly untilStopped: (failed: Promise<TailraceError>) => Promise<number>;
  /** From here on SIGHUP changes something: the new settings are handed over, those that need a restart unchanged. */
  readonly onReload: (apply: (settings: Settings) => Promise<void>) => void;
}

/**
 * The life of a process that serves a node: its log, its signals, its end. What goes wrong is logged once, here; whatever
 * the reason for which the node stops, the deadline runs from then on.
 *
 * @returns the exit code
 */
export async function serve<Settings extends NodeSettings>(
  call: Call<Settings>,
  run: (serving: Serving<Settings>) => Promise<number>,
): Promise<number> {
  const { settings, configuration, readAgain, output, stderr } = call;
  const log = createNodeLog({
    format: settings.logFormat,
    level: settings.logLevel,
    output,
    ...(stderr === undefined ? {} : { stderr }),
  });
  if (stderr === undefined) {
    endOnCrash(log);
    outliveReaders();
  }
  const reloader = new Reloader({ configuration, readAgain, log });
  const stop = call.listenForStop(
    () => reloader.settings.deadlineMs,
    (text) => log.notice(notice("warn", "ended_by_force", text, {})),
  );
  listenForHangUp({ reload: () => reloader.ask(), stop });
  try {
    return await run({
      log,
      stop,
      untilStopped: async (failed) => {
        const error = await Promise.race([stop.requested, failed]);
        if (error === undefined) return EXIT_DONE;
        log.failure("failed", error);
        stop.ask("a failure");
        return exitCodeOf(error.code);
      },
      onReload: (apply) => reloader.ready(apply),
    });
  } catch (error) {
    log.failure("failed", error);
    return exitCodeOf(asTailraceError(error).code);
  } finally {
    log.close();
  }
}

/** A bug that nobody has caught is told before it ends the process, which then is in no known state. */
function endOnCrash(log: NodeLog): void {
  process.on("uncaughtException", (error) => {
    log.failure("crashed", error);
    process.exit(1);
  });
}

/** A node goes on when nobody reads its events or its log any more; other commands have nothing left to do then. */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.removeAllListeners("error");
    stream.on("error", () => undefined);
  }
}
