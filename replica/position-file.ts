import { closeSync, constants, fdatasyncSync, fstatSync, openSync, statSync } from "node:fs";
import { POSITION_SLOT_BYTES, decodePosition, encodePosition } from "../shared/format/position.ts";
import type { FileStamp, Position } from "../shared/format/position.ts";
import { writeFileAtomically } from "../shared/storage/atomic-file.ts";
import { readAt, writeAt } from "../shared/storage/positioned-io.ts";
import { onStorage } from "../shared/storage/storage-error.ts";

/**
 * A replica's memory of where it is. Every write goes to the slot that does not hold the present position, so that
 * there is one at any moment, whatever happens to a write.
 */
export class PositionFile {
  readonly path: string;
  private descriptor: number;
  private sequence: number;
  private last: Position | undefined;

  private constructor(path: string, descriptor: number, position: Position | undefined, sequence: number) {
    this.path = path;
    this.descriptor = descriptor;
    this.last = position;
    this.sequence = sequence;
  }

  /** @throws damaged when the file has bytes but no good slot; unknown_version; storage_failed */
  static open(path: string): PositionFile {
    return onStorage("open", path, () => {
      const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644);
      try {
        const bytes = Buffer.alloc(2 * POSITION_SLOT_BYTES);
        const found = decodePosition(bytes.subarray(0, readAt(descriptor, bytes, 0)));
        return new PositionFile(path, descriptor, found?.position, found?.sequence ?? 0);
      } catch (error) {
        closeSync(descriptor);
        throw error;
      }
    });
  }

  /** The last one written; undefined before the first. */
  get position(): Position | undefined {
    return this.last;
  }

  /**
   * @param isDurable whether it has to outlive a power loss. A crash of the process loses nothing either way.
   * @throws storage_failed; where it is the sync that has failed, the position is the new one all the same. That is what the next
   * process finds, unless power is lost, and nothing was to be given up for it yet; the next sync has this slot on the same
   * block of the disk as its own
   */
  write(position: Position, isDurable: boolean): void {
    onStorage("write", this.path, () => {
      const sequence = this.sequence + 1;
      writeAt(this.descriptor, encodePosition(position, sequence), slotOffset(sequence));
      this.sequence = sequence;
      this.last = position;
      if (isDurable) fdatasyncSync(this.descriptor);
    });
  }

  /** Whether the path still leads to the file that is written to. */
  get isHere(): boolean {
    return statSync(this.path, { throwIfNoEntry: false })?.ino === fstatSync(this.descriptor).ino;
  }

  /** Writes the position anew, whole and durably, in the place of whatever stands there. @throws storage_failed */
  putBack(): void {
    const { last, sequence } = this;
    const bytes = Buffer.alloc(last === undefined ? 0 : 2 * POSITION_SLOT_BYTES);
    if (last !== undefined) bytes.set(encodePosition(last, sequence), slotOffset(sequence));
    writeFileAtomically(this.path, bytes);
    const descriptor = onStorage("open", this.path, () => openSync(this.path, constants.O_RDWR));
    closeSync(this.descriptor);
    this.descriptor = descriptor;
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

function slotOffset(sequence: number): number {
  return (sequence % 2) * POSITION_SLOT_BYTES;
}

/** The file as it stands, without opening it. @throws the system's error */
export function stampOf(file: string): FileStamp {
  const { size, mtimeNs, ctimeNs, dev, ino } = statSync(file, { bigint: true });
  return { sizeBytes: size, modifiedNs: mtimeNs, changedNs: ctimeNs, device: dev, inode: ino };
}

/** The same, where it is still that file: another one may have been put there a moment ago, and nobody has looked at it yet. */
export function stampAnew(file: string, before: FileStamp): FileStamp | undefined {
  const stamp = stampOf(file);
  return isSameFile(stamp, before) ? stamp : undefined;
}

export function sameStamp(a: FileStamp, b: FileStamp): boolean {
  return (
    a.sizeBytes === b.sizeBytes &&
    a.modifiedNs === b.modifiedNs &&
    a.changedNs === b.changedNs &&
    isSameFile(a, b)
  );
}

export function isSameFile(a: FileStamp, b: FileStamp): boolean {
  return a.device === b.device && a.inode === b.inode;
}
