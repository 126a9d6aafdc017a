/**
 * Named points at which a crash test may kill the process: TAILRACE_FAILPOINT=name or name:N for the N-th time it is
 * passed. name:N:SIGTERM sends another signal, and goes on. Unset, a failpoint costs one comparison.
 */
const [target, count = "1", signal = "SIGKILL"] = (process.env["TAILRACE_FAILPOINT"] ?? "").split(":");
let left = Number(count);

export function failpoint(name: string): void {
  if (target === "" || name !== target || --left !== 0) return;
  process.kill(process.pid, signal);
  if (signal !== "SIGKILL") return;
  // The signal is delivered before the next system call returns; nothing may be done in between.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
