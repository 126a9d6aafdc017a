import { expect, test } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { assertSupportedFileSystem } from "./file-system.ts";

test("this machine's own disk is accepted", () => {
  assertSupportedFileSystem(temporaryFolder());
});

test.runIf(process.platform === "linux").each([
  [0x6969, "NFS"],
  [0xff534d42, "CIFS"],
  // The same, as a signed 32-bit number.
  [0xff534d42 | 0, "CIFS"],
  [0x65735546, "FUSE"],
  [0x01021997, "9p"],
])("type %i is refused as %s", (type, name) => {
  expect(() => assertSupportedFileSystem("/data", () => type)).toThrow(
    expect.objectContaining({ code: "unsupported_file_system", message: expect.stringContaining(name) }),
  );
});

test.each([
  [0xef53, "ext4"],
  [0x58465342, "xfs"],
  [0x9123683e, "btrfs"],
  [0x01021994, "tmpfs"],
  [0x794c7630, "overlayfs"],
  [0x2fc12fc1, "zfs"],
])("type %i (%s) is accepted", (type) => {
  assertSupportedFileSystem("/data", () => type);
});

test("a path that does not exist is storage_failed", () => {
  expect(() => assertSupportedFileSystem("/nowhere/at/all")).toThrow(
    expect.objectContaining({ code: "storage_failed" }),
  );
});
