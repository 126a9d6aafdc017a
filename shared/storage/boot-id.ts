import { readFileSync } from "node:fs";

/** Stands for a boot that cannot be told from others: it never counts as the same one. */
export const UNKNOWN_BOOT = "00000000000000000000000000000000";

/** Whether the machine has been up all the time since it had the noted boot id; undefined where none was noted. */
export function isSameBoot(noted: string | undefined, now: string): boolean {
  return noted === now && now !== UNKNOWN_BOOT;
}

/**
 * 32 hex digits that change with each boot of the machine: what was written under another one went through a power
 * loss or an orderly shutdown. {@link UNKNOWN_BOOT} where the system has no such id.
 */
export function currentBootId(): string {
  try {
    const id = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim().replaceAll("-", "");
    return /^[0-9a-f]{32}$/.test(id) ? id : UNKNOWN_BOOT;
  } catch {
    return UNKNOWN_BOOT;
  }
}
