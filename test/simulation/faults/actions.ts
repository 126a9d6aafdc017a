import type { Action } from "./action.ts";
import { applicationActions } from "./application-actions.ts";
import { clockFaults } from "./clock-faults.ts";
import { diskFaults } from "./disk-faults.ts";
import { fileFaults } from "./file-faults.ts";
import { limitActions } from "./limit-actions.ts";
import { networkFaults } from "./network-faults.ts";
import { processFaults } from "./process-faults.ts";
import { takeoverFaults } from "./takeover.ts";

/** All that can be done to the world, by name. Whoever adds one here makes every seed a new run. */
export const ACTIONS: Readonly<Record<string, Action>> = {
  ...applicationActions,
  ...limitActions,
  ...processFaults,
  ...networkFaults,
  ...diskFaults,
  ...fileFaults,
  ...clockFaults,
  ...takeoverFaults,
};
