import { z } from "zod";
import { TailraceError } from "../shared/errors.ts";
import type { DriverName } from "../shared/sqlite/driver.ts";
import { limitOptions, refuseConflicts } from "./configuration/node-limits.ts";
import type {
  ConflictParams,
  LimitConflict,
  NodeLimits,
  PrimaryLimits,
} from "./configuration/node-limits.ts";
import { inPlainWords } from "./configuration/setting-types.ts";

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
  const result = schema.safeParse(options, { error: inPlainWords });
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const { conflict, limits } = (
    issue?.code === "custom" ? (issue.params ?? {}) : {}
  ) as Partial<ConflictParams>;
  if (conflict !== undefined && limits !== undefined) throw conflictError(conflict, limits);
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

/**
 * The limits after a change of some of them, checked as a whole.
 *
 * @throws invalid_request naming the limit and its value; nothing has changed then
 */
export function changedLimits<Key extends keyof PrimaryLimits>(
  keys: readonly Key[],
  inForce: NodeLimits & Pick<PrimaryLimits, Key> & { readonly segmentSizeBytes?: number },
  changes: unknown,
): NodeLimits & Pick<PrimaryLimits, Key> {
  const shape = limitOptions(keys, "primary");
  const optional = Object.fromEntries(keys.map((key) => [key, z.unknown().optional()]));
  const given = readOptions(z.strictObject(optional), changes);
  const { segmentSizeBytes, ...limits } = inForce;
  const all = { ...limits, ...withoutUndefined(given) };
  const checked = z
    .object({ ...shape, segmentSizeBytes: z.int().optional() })
    .superRefine((value, context) =>
      refuseConflicts(value as unknown as Parameters<typeof refuseConflicts>[0], context),
    );
  return readOptions(checked, { ...all, segmentSizeBytes }) as unknown as NodeLimits &
    Pick<PrimaryLimits, Key>;
}

function withoutUndefined(object: object): object {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

function conflictError(
  { key, other, relation, wayOut }: LimitConflict,
  limits: ConflictParams["limits"],
): TailraceError {
  return new TailraceError(
    "invalid_request",
    `option ${key} is ${limits[key]}: ${relation} ${other}, which is ${limits[other]}`,
    { hint: wayOut((name) => name) },
  );
}
