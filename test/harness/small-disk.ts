import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BLOCK_BYTES = 4096;

/** A file system of its own, in memory, that can be filled to the last block. Needs the right to mount. */
export class SmallDisk {
  readonly path: string = mkdtempSync(join(tmpdir(), "tailrace-disk-"));
  private readonly filler: string = join(this.path, "filler");

  /** Whether this process may mount: otherwise tests that need it are skipped. */
  static readonly isAllowed: boolean = mayMount();

  constructor(sizeBytes: number) {
    mount(this.path, sizeBytes);
  }

  /** Leaves so many bytes free, rounded to blocks; less where others write meanwhile. */
  fill(leftBytes = 0): void {
    this.free();
    const { bavail, bsize } = statfsSync(this.path);
    const bytes = Math.floor((bavail * bsize - leftBytes) / BLOCK_BYTES) * BLOCK_BYTES;
    try {
      writeFileSync(this.filler, Buffer.alloc(Math.max(0, bytes), 1));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }

  /** Makes room again. */
  free(): void {
    writeFileSync(this.filler, "");
    truncateSync(this.filler, 0);
  }

  remove(): void {
    // Lazily: a process that is on its way out may still have files open.
    execFileSync("umount", ["-l", this.path]);
    rmSync(this.path, { recursive: true, force: true });
  }
}

function mount(path: string, sizeBytes: number): void {
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeBytes},mode=700`, "tailrace-test", path], {
    stdio: "pipe",
  });
}

function mayMount(): boolean {
  const path = mkdtempSync(join(tmpdir(), "tailrace-disk-"));
  try {
    mount(path, 1 << 20);
    execFileSync("umount", [path]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}
