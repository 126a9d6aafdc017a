import { endianness, platform } from "node:os";
import { TailraceError } from "../shared/errors.ts";

/** @throws unsupported_file_system where SQLite's shared memory cannot be read and written as Tailrace does */
export function assertSupportedHost(): void {
  if (endianness() !== "LE") {
    throw new TailraceError(
      "unsupported_file_system",
      "this machine is big-endian: the wal-index is read as little-endian",
      {
        hint: "Run Tailrace on x86-64 or ARM.",
      },
    );
  }
  if (platform() === "win32") {
    throw new TailraceError(
      "unsupported_file_system",
      "Windows is unproven: file writes and SQLite's memory map may not agree",
      {
        hint: "Run Tailrace on Linux or macOS.",
      },
    );
  }
}
