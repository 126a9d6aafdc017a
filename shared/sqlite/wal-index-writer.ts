import { assert } from "../errors.ts";
import { WalIndexBlock, blockOf, framesBefore } from "../format/wal-index.ts";
import type { PageNumber } from "../units.ts";
import type { WalIndexFile } from "./wal-index-file.ts";

/**
 * Enters frames in the wal-index past the last committed one, where no reader looks yet. One block is in memory at a
 * time, and is written when it is full or {@link flush}ed.
 */
export class WalIndexWriter {
  private readonly index: WalIndexFile;
  /** Mirrors the index up to `frame`, and holds nothing past it. */
  private block: WalIndexBlock | undefined;
  private isDirty = false;
  private frame = 0;

  constructor(index: WalIndexFile) {
    this.index = index;
  }

  /** @param isAsLeft whether nobody has written since the last {@link flush}: then the block in memory still holds */
  start(committedFrame: number, isAsLeft: boolean): void {
    if (!isAsLeft) this.discard();
    this.frame = committedFrame;
  }

  insert(pageNumber: PageNumber): void {
    const block = blockOf(this.frame + 1);
    if (this.block?.block !== block) {
      this.flush();
      this.block = this.load(block);
    }
    this.frame++;
    this.block.insert(this.frame, pageNumber);
    this.isDirty = true;
  }

  flush(): void {
    // The whole block: so whatever an interrupted writer left past our frames is wiped out with the same write.
    if (this.isDirty && this.block !== undefined) this.index.writeBlock(this.block);
    this.isDirty = false;
  }

  /** Forgets what was inserted. Blocks that were written hold only entries past the last committed frame. */
  discard(): void {
    this.block = undefined;
    this.isDirty = false;
  }

  private load(block: number): WalIndexBlock {
    if (framesBefore(block) === this.frame) return new WalIndexBlock(block);
    const loaded = this.index.readBlock(block);
    assert(loaded !== undefined, `the wal-index has ${this.frame} frames but no block ${block}`);
    loaded.truncate(this.frame);
    return loaded;
  }
}
