import { closeSync, fstatSync, openSync } from "node:fs";
import { FRAGMENT_HEADER_BYTES, decodeFragmentHeader } from "../format/record.ts";
import type { FragmentHeader } from "../format/record.ts";
import { readAt } from "../storage/positioned-io.ts";

const WINDOW_BYTES = 1 << 20;
const FRAGMENT_MAGIC = Buffer.from("TRFR", "latin1");

/**
 * The valid fragment headers in a segment from an offset on, wherever they stand. What they head is not read: this is
 * for telling what may have been in a damaged segment, never for using it.
 */
export function* eachHeader(path: string, from: number): Generator<FragmentHeader> {
  const descriptor = openSync(path, "r");
  try {
    const { size } = fstatSync(descriptor);
    const buffer = Buffer.allocUnsafe(WINDOW_BYTES);
    for (let position = from; position + FRAGMENT_HEADER_BYTES <= size;) {
      const window = buffer.subarray(0, readAt(descriptor, buffer, position));
      const found = nextHeader(window);
      if (found.header !== undefined) yield found.header;
      position += found.at + (found.header?.lengthBytes ?? 0);
    }
  } finally {
    closeSync(descriptor);
  }
}

/** The first valid header in the bytes; without one, the place from which on more has to be read to tell. */
function nextHeader(bytes: Buffer): { readonly at: number; readonly header?: FragmentHeader } {
  const last = bytes.length - FRAGMENT_HEADER_BYTES;
  for (let at = bytes.indexOf(FRAGMENT_MAGIC); at !== -1 && at <= last;) {
    const header = decoded(bytes.subarray(at));
    if (header !== undefined) return { at, header };
    at = bytes.indexOf(FRAGMENT_MAGIC, at + 1);
  }
  return { at: last + 1 };
}

function decoded(bytes: Buffer): FragmentHeader | undefined {
  try {
    return decodeFragmentHeader(bytes);
  } catch {
    return undefined;
  }
}
