import { z } from "zod";
import { TailraceError } from "../shared/errors.ts";
import type { DriverName } from "../shared/sqlite/driver.ts";

/** Where to serve. */
export interface ListenOptions {
  /** 0 takes any free port; `address` then says which. */
  readonly port: number;
  /** Default: 127.0.0.1. Any other than loopback needs `insecure`. */
  readonly host?: string;
  /** Allow an address that others can reach: whoever does reads the whole database. */
  readonly insecure?: boolean;
}

export interface Listen {
  readonly port: number;
  readonly host: string;
  readonly insecure: boolean;
}

export const listenOption: z.ZodType<Listen> = z.strictObject({
  port: z.int().min(0).max(65_535),
  host: z.string().min(1).default("127.0.0.1"),
  insecure: z.boolean().default(false),
});
export const durabilityOption: z.ZodType<"commit" | "group" | "os"> = z.enum(["commit", "group", "os"]);
export const driverOption: z.ZodType<DriverName> = z.enum(["node:sqlite", "better-sqlite3"]);

/** @throws invalid_request naming the option and its value */
export function readOptions<S extends z.ZodObject>(schema: S, options: unknown): z.output<S> {
  const result = schema.safeParse(options);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const unknown = issue?.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const path = [...(issue?.path ?? []), ...(unknown === undefined ? [] : [unknown])];
  const value = path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
    options,
  );
  throw new TailraceError(
    "invalid_request",
    `option ${path.join(".") || "object"} is ${JSON.stringify(value) ?? String(value)}: ${issue?.message ?? "not usable"}`,
    { hint: `Options: ${Object.keys(schema.shape).join(", ")}.` },
  );
}
