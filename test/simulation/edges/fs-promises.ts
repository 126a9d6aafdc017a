import type { BigIntStats, Stats } from "node:fs";
import { ProcessDied, currentProcess } from "../core/process.ts";
import {
  closeSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  rmSync,
  statSync,
} from "./fs.ts";

/*
 * node:fs/promises as a simulated process has it: each call is carried out whole, as one event, some time after it was
 * made, in an order of their own.
 */
export { constants } from "node:fs";

/** Never settles when the process dies before the answer. */
function later<T>(what: string, work: () => T): Promise<T> {
  const process = currentProcess();
  if (process === undefined) return Promise.resolve().then(work);
  process.cross(what);
  const { disk, scheduler } = process.machine;
  return new Promise((resolve, reject) => {
    scheduler.after(disk.latencyMs(), what, process, () => {
      try {
        resolve(work());
      } catch (error) {
        if (!(error instanceof ProcessDied)) reject(error);
      }
    });
  });
}

export class FileHandle implements AsyncDisposable {
  readonly fd: number;
  private isClosed = false;

  constructor(descriptor: number) {
    this.fd = descriptor;
  }

  async read<B extends NodeJS.ArrayBufferView>(
    buffer: B,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesRead: number; buffer: B }> {
    const bytesRead = await later("fs.read", () => readSync(this.fd, buffer, offset, length, position));
    return { bytesRead, buffer };
  }

  stat(): Promise<Stats | BigIntStats> {
    return later("fs.stat", () => fstatSync(this.fd));
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await later("fs.close", () => closeSync(this.fd));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

export function open(path: string, flags: string | number = "r", mode?: number): Promise<FileHandle> {
  return later("fs.open", () => new FileHandle(openSync(path, flags, mode)));
}

export function stat(path: string): Promise<Stats | BigIntStats | undefined> {
  return later("fs.stat", () => statSync(path));
}

export function readFile(path: string, encoding?: BufferEncoding): Promise<string | Buffer> {
  return later("fs.read", () => readFileSync(path, encoding));
}

export function readdir(path: string): Promise<string[]> {
  return later("fs.readdir", () => readdirSync(path));
}

export function rm(path: string, options?: { recursive?: boolean; force?: boolean }): Promise<void> {
  return later("fs.remove", () => rmSync(path, options));
}
