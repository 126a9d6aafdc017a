import { currentProcess } from "../core/process.ts";

/** What a simulated machine's /proc says: nothing that differs from one run to the next. */
export function readSystemFile(path: string): string | undefined {
  const process = currentProcess();
  if (process === undefined || !path.startsWith("/proc/")) return undefined;
  return path === "/proc/sys/kernel/random/boot_id" ? `${process.machine.disk.bootId}\n` : "";
}

export function systemNames(folder: string): string[] | undefined {
  return currentProcess() !== undefined && folder.startsWith("/proc/") ? [] : undefined;
}
