/** How a body is encoded on the way. */
export type Encoding = "zstd" | "gzip" | "identity";

const SUPPORTED: readonly Encoding[] = ["zstd", "gzip"];

/**
 * The best encoding that an `Accept-Encoding` header allows (RFC 9110, 12.5.3): the highest quality value, zstd before
 * gzip where they are equal. Without the header, nothing is encoded.
 */
export function chooseEncoding(header: string | undefined): Encoding {
  if (header === undefined || header === "") return "identity";
  const qualities = new Map<string, number>();
  for (const item of header.split(",")) {
    const [name = "", ...parameters] = item.split(";").map((part) => part.trim().toLowerCase());
    const quality = parameters.find((parameter) => parameter.startsWith("q="));
    qualities.set(name, quality === undefined ? 1 : Number(quality.slice(2)) || 0);
  }
  let best: Encoding = "identity";
  let bestQuality = 0;
  for (const encoding of SUPPORTED) {
    const quality = qualities.get(encoding) ?? qualities.get("*") ?? 0;
    if (quality > bestQuality) [best, bestQuality] = [encoding, quality];
  }
  return (qualities.get("identity") ?? 0) > bestQuality ? "identity" : best;
}
