import { statfsSync } from "node:fs";
import { TailraceError } from "../errors.ts";
import { onStorage } from "./storage-error.ts";

/**
 * File systems on which memory maps, write() and POSIX locks of several processes, or of several hosts, do not agree
 * as SQLite's WAL needs it. By statfs(2)'s f_type (linux/magic.h, and statfs(2) for those outside the kernel's list).
 */
const UNSUPPORTED: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x65735546, "FUSE"],
  [0x01021997, "9p"],
  [0x5346414f, "AFS"],
  [0x6b414653, "AFS"],
  [0x73757245, "Coda"],
  [0x564c, "NCP"],
  [0x00c36400, "Ceph"],
  [0x0bd00bd0, "Lustre"],
  [0x47504653, "GPFS"],
  [0x7461636f, "OCFS2"],
  [0x01161970, "GFS2"],
  [0x786f4256, "VirtualBox shared folder"],
  [0xbacbacbc, "VMware shared folder"],
  [0x7c7c6673, "Parallels shared folder"],
]);

/** The file system type of a folder or file: {@link statfsSync}'s. Replaced in tests. */
export type FileSystemType = (path: string) => number;

const typeOnDisk: FileSystemType = (path) => statfsSync(path).type;

/**
 * Refuses a path on a network or user-space file system. Only Linux tells types apart by number; elsewhere all pass.
 *
 * @param path of a file or folder that exists
 * @throws unsupported_file_system; storage_failed
 */
export function assertSupportedFileSystem(path: string, typeOf: FileSystemType = typeOnDisk): void {
  if (process.platform !== "linux") return;
  const type = onStorage("examine the file system of", path, () => typeOf(path)) >>> 0;
  const name = UNSUPPORTED.get(type);
  if (name === undefined) return;
  throw new TailraceError(
    "unsupported_file_system",
    `${path} is on ${name}, where SQLite's WAL is not safe (file system type 0x${type.toString(16)})`,
    { hint: "Keep the database and its data folder on a local disk." },
  );
}
