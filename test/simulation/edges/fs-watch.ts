import { EventEmitter } from "node:events";
import { basename } from "node:path";
import { systemError } from "../core/errno.ts";
import { currentThread } from "../core/process.ts";
import type { FileEvent } from "../disk/disk.ts";
import { enter, pathOf } from "./fs-context.ts";

type Listener = (event: FileEvent, name: string) => void;

/** inotify's queue may overflow, and the listener's thread may be busy. */
const LOST_CHANCE = 0.02;
const LATE_CHANCE = 0.02;
const LATE_MS = 400;

/** Tells of changes of the file that stands at the path now, each by an event of its own; now and then late, or never. */
class Watcher extends EventEmitter {
  private readonly release: () => void;
  private isClosed = false;

  constructor(path: string) {
    super();
    const place = enter("fs.watch", path);
    const file = place?.disk.findFile(path);
    if (place === undefined || file === undefined) throw systemError("ENOENT", "watch", path);
    const { disk, process } = place;
    const thread = currentThread();
    const release = disk.watch(file, (event) => {
      if (disk.random.chance(LOST_CHANCE)) return;
      const delayMs = disk.latencyMs() + (disk.random.chance(LATE_CHANCE) ? disk.random.int(LATE_MS) : 0);
      process.machine.scheduler.afterIn(delayMs, "fs.watch", thread, () => {
        if (!this.isClosed) this.emit("change", event, basename(path));
      });
    });
    const forget = disk.untilDeath(process, release);
    this.release = () => {
      forget();
      release();
    };
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.release();
    this.emit("close");
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

export function watch(path: string | URL, _options: { persistent?: boolean }, listener: Listener): Watcher {
  return new Watcher(pathOf(path)).on("change", listener);
}
