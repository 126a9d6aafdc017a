import type { Target } from "./engine/target.ts";
import { configurationTarget } from "./files/configuration.ts";
import { documentTargets } from "./files/documents.ts";
import { folderTargets } from "./files/folders.ts";
import { formatTargets } from "./files/formats.ts";
import { receiverTarget } from "./files/receiver.ts";
import { replicaFolderTarget } from "./files/replica-folder.ts";
import { sqliteTargets } from "./files/sqlite.ts";
import { httpTargets } from "./http/targets.ts";

/** All that is fuzzed. A new target is listed here. */
export const TARGETS: readonly Target[] = [
  ...formatTargets,
  receiverTarget,
  ...sqliteTargets,
  ...documentTargets,
  configurationTarget,
  ...folderTargets,
  replicaFolderTarget,
  ...httpTargets,
];
