import type { Exercise } from "./exercise.ts";
import { clockBack } from "./exercises/clock-back.ts";
import { damageAtRest } from "./exercises/damage-at-rest.ts";
import { descriptors } from "./exercises/descriptors.ts";
import { diskFull } from "./exercises/disk-full.ts";
import { filesDeleted } from "./exercises/files-deleted.ts";
import { freeze } from "./exercises/freeze.ts";
import { ioErrors } from "./exercises/io-errors.ts";
import { killAll } from "./exercises/kill-all.ts";
import { killLoop } from "./exercises/kill-loop.ts";
import { killPrimary } from "./exercises/kill-primary.ts";
import { killReplica } from "./exercises/kill-replica.ts";
import { killWriter } from "./exercises/kill-writer.ts";
import { longReader } from "./exercises/long-reader.ts";
import { network } from "./exercises/network.ts";
import { restoreRunning } from "./exercises/restore-running.ts";
import { restoreStopped } from "./exercises/restore-stopped.ts";
import { slowDisk } from "./exercises/slow-disk.ts";
import { stop } from "./exercises/stop.ts";
import { unwritable } from "./exercises/unwritable.ts";

/** All there are, in the order of `--list`. */
export const exercises: readonly Exercise[] = [
  killPrimary,
  killReplica,
  killWriter,
  killAll,
  killLoop,
  stop,
  freeze,
  diskFull,
  unwritable,
  ioErrors,
  slowDisk,
  descriptors,
  network,
  restoreRunning,
  restoreStopped,
  clockBack,
  longReader,
  filesDeleted,
  damageAtRest,
];
