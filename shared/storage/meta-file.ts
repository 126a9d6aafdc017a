import { readFileSync } from "node:fs";
import { z } from "zod";
import { TailraceError } from "../errors.ts";
import { isPageSize } from "../format/record.ts";
import { writeFileAtomically } from "./atomic-file.ts";
import { storageError } from "./storage-error.ts";
import { systemCode } from "../system-error.ts";

const META_FORMAT_VERSION = 1;

interface CommonMeta {
  /** 32 hex digits: one history of one database. */
  readonly logId: string;
  readonly epoch: number;
  /** Device and inode of the database file, as {@link ../sqlite/held-files.ts!identityOf} says them. */
  readonly databaseFile: string;
  readonly pageSizeBytes: number;
}

export interface PrimaryMeta extends CommonMeta {
  readonly role: "primary";
  /**
   * Of the machine when the log was written last ({@link ./boot-id.ts!currentBootId}): under another one, its newest records
   * may have been on their way to the disk when power was lost. Undefined in a folder of an earlier version.
   */
  readonly bootId?: string | undefined;
}

/** All but the name is unknown until the first landing. */
export type ReplicaMeta = { readonly [Key in keyof CommonMeta]?: CommonMeta[Key] | undefined } & {
  readonly role: "replica";
  readonly replicaId: string;
};

/** What a data folder is of: meta.json. */
export type Meta = PrimaryMeta | ReplicaMeta;

const hex32 = z.string().regex(/^[0-9a-f]{32}$/);
const common = {
  logId: hex32,
  epoch: z.int().nonnegative(),
  databaseFile: z.string().regex(/^\d+:\d+$/),
  pageSizeBytes: z.int().refine(isPageSize, "is no page size of SQLite"),
};
const schema: z.ZodType<Meta> = z.discriminatedUnion("role", [
  z.object({ ...common, role: z.literal("primary"), bootId: hex32.optional() }),
  z.object({ ...z.object(common).partial().shape, role: z.literal("replica"), replicaId: z.string().min(1) }),
]);

/**
 * @returns undefined when there is no such file: nothing was ever begun in this folder
 * @throws damaged, unknown_version, storage_failed
 */
export function readMeta(path: string): Meta | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    throw storageError("read", path, cause);
  }
  const document = parseJson(text);
  const version = (document as { formatVersion?: unknown } | null | undefined)?.formatVersion;
  if (typeof version === "number" && version !== META_FORMAT_VERSION) {
    throw new TailraceError(
      "unknown_version",
      `${path} has format version ${version}, this build reads ${META_FORMAT_VERSION}`,
      { hint: "Use the version of Tailrace that wrote it, or a later one." },
    );
  }
  const meta = schema.safeParse(document);
  if (meta.success && version === META_FORMAT_VERSION) return meta.data;
  throw new TailraceError(
    "damaged",
    `${path} makes no sense: ${meta.success ? "it names no format version" : z.prettifyError(meta.error)}`,
    {
      hint: "Restore the file, or move the data folder away to begin a new log.",
    },
  );
}

/** Durable, and whole or not at all. @throws storage_failed */
export function writeMeta(path: string, meta: Meta): void {
  writeFileAtomically(
    path,
    Buffer.from(
      `${JSON.stringify({ formatVersion: META_FORMAT_VERSION, ...schema.parse(meta) }, null, 2)}\n`,
    ),
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
