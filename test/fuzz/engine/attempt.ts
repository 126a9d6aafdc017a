import { TailraceError } from "../../../shared/errors.ts";
import { isShortage } from "../../../shared/system-error.ts";
import type { OpenTarget, Outcome, Step } from "./target.ts";

/** What one input has come to. */
export interface Attempt {
  readonly outcome: Outcome | "wrong";
  readonly problem: string | undefined;
}

/** The most that may be asked for at once: twice what a chunk of the log takes. */
const MAX_ALLOCATION_BYTES = 9 << 20;
const SQLITE_ERROR = "ERR_SQLITE_ERROR";

let largestBytes = 0;
watchAllocations();

/** Runs one input, and judges how it ends. */
export async function attempt(target: OpenTarget, steps: readonly Step[]): Promise<Attempt> {
  largestBytes = 0;
  let outcome: Outcome;
  try {
    outcome = await target.run(steps);
  } catch (error) {
    const problem = problemOf(error);
    if (problem !== undefined) return { outcome: "wrong", problem };
    outcome = "refused";
  }
  if (largestBytes > MAX_ALLOCATION_BYTES)
    return { outcome: "wrong", problem: `asked for ${largestBytes} bytes at once` };
  return { outcome, problem: undefined };
}

/** What is wrong with an error; undefined where it is a refusal as it should be. */
function problemOf(error: unknown): string | undefined {
  if (!(error instanceof TailraceError)) return told(error);
  if (error.code === "internal") return `internal: ${told(error)}`;
  if (error.code !== "storage_failed" || error.cause === undefined) return undefined;
  // Whatever is thrown where files are used passes for the disk's fault.
  return isOfTheSystem(error.cause) ? undefined : `no fault of the disk: ${told(error.cause)}`;
}

function isOfTheSystem(cause: unknown): boolean {
  if (cause instanceof TailraceError) return problemOf(cause) === undefined;
  const { code, syscall } = cause as NodeJS.ErrnoException;
  return syscall !== undefined || code === SQLITE_ERROR || isShortage(cause);
}

function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const [place = ""] = /^ +at .*\.ts:\d+/m.exec(error.stack ?? "") ?? [];
  return `${error.name}: ${error.message}${place.replace(/^ +at (.* )?\(?(file:\/\/)?.*\/(?=[^/]+\.ts)/, " at ")}`;
}

/** Memory that is asked for and not used yet shows nowhere else. */
function watchAllocations(): void {
  for (const name of ["alloc", "allocUnsafe", "allocUnsafeSlow"] as const) {
    const original = Buffer[name].bind(Buffer) as (size: number, ...rest: unknown[]) => Buffer<ArrayBuffer>;
    Buffer[name] = (size: number, ...rest: unknown[]) => {
      largestBytes = Math.max(largestBytes, size);
      return original(size, ...rest);
    };
  }
  for (const name of ["ArrayBuffer", "BigUint64Array", "Uint32Array"] as const) {
    const original: new (...given: never[]) => { readonly byteLength: number } = globalThis[name];
    const watched = new Proxy(original, {
      construct(made, given, newTarget) {
        const result = Reflect.construct(made, given, newTarget) as { readonly byteLength: number };
        // A view of memory that was counted when it was asked for counts for nothing.
        if (!(given[0] instanceof Object)) largestBytes = Math.max(largestBytes, result.byteLength);
        return result;
      },
    });
    Object.assign(globalThis, { [name]: watched });
  }
}
