/** The part of a file that a `Range` header asks for: bytes from `from` up to `to`, exclusive. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

/**
 * Reads a `Range` header (RFC 9110, 14). One range of bytes is understood; anything else is answered with the whole, as
 * the RFC allows.
 *
 * @returns undefined for the whole
 */
export function parseRange(
  header: string | undefined,
  sizeBytes: number,
): ByteRange | "unsatisfiable" | undefined {
  const match = /^bytes=\s*(\d{0,16})-(\d{0,16})\s*$/i.exec(header ?? "");
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "") {
    if (last === "") return undefined;
    const count = Math.min(Number(last), sizeBytes);
    return count === 0 ? "unsatisfiable" : { from: sizeBytes - count, to: sizeBytes };
  }
  const from = Number(first);
  const to = last === "" ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  if (last !== "" && Number(last) < from) return undefined;
  return from >= sizeBytes ? "unsatisfiable" : { from, to };
}

/** Whether `If-None-Match` names one of the entity tags, by weak comparison. */
export function isNoneMatch(header: string | undefined, etags: readonly string[]): boolean {
  if (header === undefined) return false;
  if (header.trim() === "*") return true;
  return header.split(",").some((tag) => etags.includes(tag.trim().replace(/^W\//, "")));
}

/** Whether a range may be served under `If-Range`: strong comparison with an entity tag, or the exact date. */
export function isRangeValid(header: string | undefined, etag: string, lastModified: string): boolean {
  return header === undefined || header === etag || header === lastModified;
}

/** Whether `Accept` asks for JSON by name, and for nothing binary more than for it. */
export function prefersJson(header: string | undefined): boolean {
  let json = 0;
  let binary = 0;
  for (const item of (header ?? "").split(",")) {
    const [type = "", ...parameters] = item.split(";").map((part) => part.trim().toLowerCase());
    const q = parameters.find((parameter) => parameter.startsWith("q="));
    const quality = q === undefined ? 1 : Number(q.slice(2)) || 0;
    if (type === "application/json") json = quality;
    if (type === "application/octet-stream" || type === "application/vnd.sqlite3")
      binary = Math.max(binary, quality);
  }
  return json > 0 && json >= binary;
}

/** Whether `Want-Repr-Digest` (RFC 9530) says that a SHA-256 is of no use. */
export function isDigestRefused(header: string | undefined): boolean {
  return (header ?? "").split(",").some((preference) => preference.trim() === "sha-256=0");
}
