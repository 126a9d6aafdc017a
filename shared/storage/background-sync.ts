import { closeSync, fdatasync, fsyncSync } from "node:fs";
import { promisify } from "node:util";
import { onStorage, storageError } from "./storage-error.ts";

const datasync = promisify(fdatasync);
const EVERY_BYTES: number = 64 << 20;

/** Hands what is written to a long file to the disk while more is written, so that no long sync stands at its end. */
export class BackgroundSync {
  private readonly path: string;
  private readonly descriptor: number;
  private unsyncedBytes = 0;
  private running: Promise<void> = Promise.resolve();
  private failure: unknown;

  /** @param descriptor of the file, and from now on this object's to close */
  constructor(path: string, descriptor: number) {
    this.path = path;
    this.descriptor = descriptor;
  }

  /**
   * To be told of all that is written.
   *
   * @returns a promise when the disk may have fallen behind the writer, who may wait for it
   */
  wrote(bytes: number): Promise<void> | undefined {
    this.unsyncedBytes += bytes;
    if (this.unsyncedBytes < EVERY_BYTES) return undefined;
    this.unsyncedBytes = 0;
    const before = this.running;
    this.running = before
      .then(() => datasync(this.descriptor))
      .catch((error: unknown) => {
        this.failure ??= error;
      });
    return before;
  }

  /** When it returns, all that was written is on the disk. @throws storage_failed, also where it was not meanwhile */
  async finish(): Promise<void> {
    await this.running;
    // The kernel tells a descriptor of a failure once: the next sync would succeed, without the bytes.
    if (this.failure !== undefined) throw storageError("write", this.path, this.failure);
    onStorage("write", this.path, () => fsyncSync(this.descriptor));
  }

  async close(): Promise<void> {
    await this.running;
    closeSync(this.descriptor);
  }
}
