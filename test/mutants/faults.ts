/** A deliberate fault in the product: one exact piece of code, replaced by another. */
export interface Fault {
  readonly name: string;
  /** What goes wrong, in the words of who would make the mistake. */
  readonly mistake: string;
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly from: string;
  readonly to: string;
  /** Test files that are to notice. */
  readonly tests: readonly string[];
}

/** Every one of them breaks a promise of INVARIANTS.md, and each has to be caught: by the simulation, by the tests, or both. */
export const FAULTS: readonly Fault[] = [
  {
    name: "index-header-first",
    mistake: "publishes the commit before its entries are in the wal-index",
    file: "shared/sqlite/wal-appender.ts",
    from: `    this.entries.flush();
    failpoint("append.index-written");
    this.index.writeHeader(intended);`,
    to: `    this.index.writeHeader(intended);
    failpoint("append.index-written");
    this.entries.flush();`,
    tests: ["shared/sqlite/wal-appender-order.test.ts"],
  },
  {
    name: "header-copies-apart",
    mistake: "writes the two copies of the wal-index header one after the other",
    file: "shared/sqlite/wal-index-file.ts",
    from: `writeFully(this.descriptor, Buffer.concat([copy, copy]), 0);`,
    to: `writeFully(this.descriptor, copy, 0);
    writeFully(this.descriptor, copy, copy.length);`,
    tests: ["shared/sqlite/wal-appender-order.test.ts"],
  },
  {
    name: "frames-after-index",
    mistake: "writes the frames when readers may already look for them",
    file: "shared/sqlite/wal-appender.ts",
    from: `    this.frames.flush();
    failpoint("append.frames-written");
    if (isDurable) this.frames.sync();
    failpoint("append.synced");
    this.entries.flush();
    failpoint("append.index-written");
    this.index.writeHeader(intended);
    failpoint("append.published");`,
    to: `    failpoint("append.frames-written");
    failpoint("append.synced");
    this.entries.flush();
    failpoint("append.index-written");
    this.index.writeHeader(intended);
    failpoint("append.published");
    this.frames.flush();
    if (isDurable) this.frames.sync();`,
    tests: ["shared/sqlite/wal-appender-order.test.ts"],
  },
  {
    name: "intent-too-late",
    mistake: "writes down what is about to be applied after it can be seen",
    file: "replica/applier.ts",
    from: `        this.save({ ...this.present, intent: batch.to, intended: markOf(intended), isStamped: false }, false);
        failpoint("apply.intent-written");`,
    to: `        failpoint("apply.intent-written");
        this.present = { ...this.present, intent: batch.to, intended: markOf(intended), isStamped: false };`,
    tests: ["replica/applier.test.ts"],
  },
  {
    name: "aborted-commit-left",
    mistake: "leaves the frames of an aborted commit where recovery finds them",
    file: "shared/sqlite/frame-writer.ts",
    from: `    if (this.writtenFrame === this.committedFrame) return;
    this.writtenFrame = this.committedFrame;
    writeFully(`,
    to: `    if (this.writtenFrame >= this.committedFrame) return;
    this.writtenFrame = this.committedFrame;
    writeFully(`,
    tests: ["shared/sqlite/wal-appender.test.ts"],
  },
  {
    name: "continuity-unchecked",
    mistake: "applies a batch that does not begin where the replica is",
    file: "replica/applier.ts",
    from: `if (applied.txid !== batch.from.txid || applied.checksum !== batch.from.checksum) {`,
    to: `if (applied.txid > batch.to.txid) {`,
    tests: ["replica/applier.test.ts"],
  },
  {
    name: "result-unchecked",
    mistake: "publishes a batch whatever checksum it ends with",
    file: "replica/applier.ts",
    from: `    if (checksum !== batch.to.checksum)
      throw diverged`,
    to: `    if (checksum !== batch.to.checksum && written.length === 0)
      throw diverged`,
    tests: ["replica/applier.test.ts"],
  },
  {
    name: "first-image-wins",
    mistake: "keeps the first image of a page in a merged batch, not the last",
    file: "replica/batch.ts",
    from: `this.open.forEach((page, index) => this.pages.set(page, this.wholeBytes + index * this.pageSizeBytes));`,
    to: `this.open.forEach((page, index) => {
        if (!this.pages.has(page)) this.pages.set(page, this.wholeBytes + index * this.pageSizeBytes);
      });`,
    tests: ["replica/follow.test.ts"],
  },
  {
    name: "shrinking-forgotten",
    mistake: "forgets the pages that a shrinking database loses",
    file: "shared/pages/page-table.ts",
    from: `      this.xor ^= this.xorFrom(pageCount + 1);
      this.dropEntries(pageCount + 1);`,
    to: `      this.dropEntries(pageCount + 1);`,
    tests: ["shared/pages/page-table.test.ts"],
  },
  {
    name: "record-unverified",
    mistake: "does not verify the checksum of a record's pages",
    file: "shared/format/record.ts",
    from: `if (bytes.readUInt32LE(88) !== crc32(bytes.subarray(FRAGMENT_HEADER_BYTES, header.lengthBytes))) {`,
    to: `if (bytes.readUInt32LE(88) === 0 && header.txid < 0) {`,
    tests: ["shared/format/record.test.ts"],
  },
  {
    name: "chunk-unverified",
    mistake: "does not verify the checksum of a chunk before it is kept",
    file: "replica/receiver.ts",
    from: `    if (found !== expected)
      throw violation(`,
    to: `    if (found !== expected && bytes.length === 0)
      throw violation(`,
    tests: ["replica/receiver.test.ts"],
  },
  {
    name: "frame-chain-unverified",
    mistake: "believes frames of the SQLite WAL without their checksum chain",
    file: "primary/wal-tail.ts",
    from: `if (!verifyFrame(buffer, words, offset, pageSizeBytes, header.salts, this.checksum)) {`,
    to: `if (!verifyFrame(buffer, words, offset, pageSizeBytes, header.salts, this.checksum) && budget < 0) {`,
    tests: ["primary/wal-tail.test.ts"],
  },
  {
    name: "image-unverified",
    mistake: "takes over a snapshot without comparing its checksum",
    file: "replica/bootstrap.ts",
    from: `if (table.checksum === head.state.checksum && this.writtenBytes === imageBytes(head)) return;`,
    to: `if (this.writtenBytes === imageBytes(head)) return;`,
    tests: ["replica/bootstrap.test.ts"],
  },
  {
    name: "resync-misses-last-page",
    mistake: "does not compare the database's last page in a resync",
    file: "replica/wanted-pages.ts",
    from: `if (page === lock || table.get(page) === hash) continue;`,
    to: `if (page === lock || page === this.head.state.pageCount || table.get(page) === hash) continue;`,
    tests: ["replica/resync-landing.test.ts"],
  },
  {
    name: "resync-past-foreign-commits",
    mistake: "lands a resync over what somebody has written meanwhile",
    file: "replica/resync.ts",
    from: `if (!isUndisturbed(found, seen)) {`,
    to: `if (found.pageSizeBytes !== head.pageSizeBytes && seen.frame > 0) {`,
    tests: ["replica/resync-landing.test.ts"],
  },
  {
    name: "copy-not-synced",
    mistake: "asks for more of the log before what came is on disk",
    file: "shared/log/log-copy.ts",
    from: `        for (const descriptor of [...this.unsynced, this.descriptor]) fdatasyncSync(descriptor);
        if (this.unsynced.length > 0) syncFolder(this.folder);`,
    to: `        if (this.unsynced.length > 0) syncFolder(this.folder);`,
    tests: ["shared/log/log-copy-sync.test.ts"],
  },
  {
    name: "ahead-by-name",
    mistake: "vouches for log that is still on its way to the disk",
    file: "replica/log-intake.ts",
    from: `{ cursor: chunk.next, waitMs: 0, isAhead: true }`,
    to: `{ cursor: chunk.next, waitMs: 0 }`,
    tests: ["replica/log-intake.test.ts"],
  },
  {
    name: "power-loss-unnoticed",
    mistake: "takes a machine that went down for a process that died",
    file: "replica/recovery.ts",
    from: `return { isTrusted: false, isPowerLoss: true };`,
    to: `return { isTrusted: true, isPowerLoss: false };`,
    tests: ["replica/power-loss.test.ts"],
  },
  {
    name: "commit-not-synced",
    mistake: "acknowledges commits that no fsync has put on disk",
    file: "shared/log/log-writer.ts",
    from: `      this.storage.dataSync(this.descriptor);
    } catch (cause) {`,
    to: `    } catch (cause) {`,
    tests: ["shared/log/log-writer.test.ts"],
  },
  {
    name: "failed-sync-retried",
    mistake: "tries an fsync again that has failed, and believes the second",
    file: "shared/log/log-writer.ts",
    from: `throw this.break("cannot be made durable", cause);`,
    to: `throw this.failure("cannot be made durable", cause, true);`,
    tests: ["shared/log/log-writer.test.ts"],
  },
  {
    name: "segment-sealed-unsynced",
    mistake: "begins a segment before the one before it is on disk",
    file: "shared/log/log-writer.ts",
    from: `    if (this.options.durability === "group") this.sync();
    failpoint("log.segment-sealed");`,
    to: `    failpoint("log.segment-sealed");`,
    tests: ["shared/log/log-writer.test.ts"],
  },
  {
    name: "torn-tail-kept",
    mistake: "goes on writing behind a torn record",
    file: "shared/log/log-writer.ts",
    from: `    if (tornBytes > 0) log.truncate(end.offset);`,
    to: `    if (tornBytes < 0) log.truncate(end.offset);
    log.writeOffset += tornBytes;`,
    tests: ["shared/log/log-writer.test.ts"],
  },
  {
    name: "half-record-kept",
    mistake: "leaves the fragments of a transaction that was given up in the log",
    file: "shared/log/log-writer.ts",
    from: `    this.chain.abandonRecord();
    this.truncate(this.recordEnd.offset);
  }

  /** Puts every whole record`,
    to: `    this.chain.abandonRecord();
  }

  /** Puts every whole record`,
    tests: ["shared/log/log-writer.test.ts"],
  },
  {
    name: "unsynced-shown",
    mistake: "shows replicas what a loss of power could still take",
    file: "primary/capture-loop.ts",
    from: `      end: log.durableEnd,`,
    to: `      end: log.end,`,
    tests: ["primary/capture-loop.test.ts"],
  },
  {
    name: "durable-too-early",
    mistake: "answers for durability before the fsync that it waits for",
    file: "primary/capture-loop.ts",
    from: `    this.show(progress !== "end" || waiters > 0 || isLast);`,
    to: `    this.show(progress !== "end" || isLast);`,
    tests: ["primary/capture-loop.test.ts"],
  },
  {
    name: "durable-before-end",
    mistake: "answers for durability before all that is committed is captured",
    file: "primary/capture-loop.ts",
    from: `    if (progress !== "end") {
      await setImmediate();
      return undefined;
    }
    this.answerDurable(waiters);`,
    to: `    this.answerDurable(waiters);
    if (progress !== "end") {
      await setImmediate();
      return undefined;
    }`,
    tests: ["primary/capture-loop.test.ts"],
  },
  {
    name: "pin-gap",
    mistake: "lets go of the old pin before it has the new one",
    file: "primary/pin.ts",
    from: `    this.begin(next);
    const { header, backfill } = this.index.read();`,
    to: `    if (this.held !== undefined) this.connections[this.held].exec("COMMIT");
    this.held = undefined;
    this.begin(next);
    const { header, backfill } = this.index.read();`,
    tests: ["primary/pin.test.ts"],
  },
  {
    name: "restart-always-believed",
    mistake: "takes every restarted WAL for the next one, whatever pin was held",
    file: "shared/plan/wal-continuity.ts",
    from: `return mayRestart ? "restarted" : "missed";`,
    to: `return mayRestart || true ? "restarted" : "missed";`,
    tests: ["shared/plan/wal-continuity.test.ts"],
  },
  {
    name: "clean-close-believed",
    mistake: "believes the note of a clean close without looking at the file",
    file: "primary/clean-close.ts",
    from: `    closed.databaseChecksum === hex64(log.headChecksum) &&
    closed.file === stampOf(databaseFile)`,
    to: `    closed.databaseChecksum === hex64(log.headChecksum) &&
    stampOf(databaseFile) !== ""`,
    tests: ["primary/clean-close.test.ts"],
  },
  {
    name: "retention-off-by-one",
    mistake: "drops the segment in which the newest snapshot's log begins",
    file: "shared/plan/retention.ts",
    from: `    if (segment >= hard || (isWanted && leftBytes <= maxBytes)) return segment;`,
    to: `    if (segment > hard || (isWanted && segment !== hard && leftBytes <= maxBytes)) return segment;`,
    tests: ["shared/plan/retention.test.ts"],
  },
  {
    name: "replicas-not-held",
    mistake: "drops the log that a tracked replica still needs",
    file: "shared/plan/retention.ts",
    from: `const earliest = [...snapshots.map(({ cursor }) => cursor), ...held.map(({ received }) => received)]`,
    to: `const earliest = [...snapshots.map(({ cursor }) => cursor), ...held.slice(held.length).map(({ received }) => received)]`,
    tests: ["shared/plan/retention.test.ts"],
  },
  {
    name: "tracking-unsaved",
    mistake: "drops segments before what is known of replicas is on disk",
    file: "shared/tracking/replica-tracker.ts",
    from: `const stands = this.mayGiveUp(decision.lost, nowMs) && (!isCut || this.saved.isOnDisk());`,
    to: `const stands = this.mayGiveUp(decision.lost, nowMs);`,
    tests: ["primary/retention-crash.test.ts", "primary/retention-story.test.ts"],
  },
  {
    name: "loss-unannounced",
    mistake: "gives replicas up without a word before",
    file: "shared/tracking/replica-tracker.ts",
    from: `const stands = this.mayGiveUp(decision.lost, nowMs) && (!isCut || this.saved.isOnDisk());`,
    to: `const stands = !isCut || this.saved.isOnDisk();`,
    tests: ["primary/retention-story.test.ts"],
  },
  {
    name: "snapshot-before-sync",
    mistake: "serves a snapshot of a state that the log could lose again",
    file: "primary/snapshots.ts",
    from: `      capture.sync();
      const { log, table, meta } = capture;`,
    to: `      const { log, table, meta } = capture;`,
    tests: ["primary/snapshots.test.ts"],
  },
  {
    name: "older-epoch-followed",
    mistake: "follows a primary that another one has replaced",
    file: "replica/fencing.ts",
    from: `  if (epoch >= seenEpoch) return;`,
    to: `  if (epoch >= 0) return;`,
    tests: ["replica/receiver.test.ts"],
  },
  {
    name: "other-history-followed",
    mistake: "goes on with the log of another history",
    file: "replica/receiver.ts",
    from: `  if (logId !== known.logId) {`,
    to: `  if (logId.length !== known.logId.length) {`,
    tests: ["replica/receiver.test.ts"],
  },
  {
    name: "foreign-write-unnoticed",
    mistake: "overwrites what another process has written to the replica",
    file: "replica/left-mark.ts",
    from: `return found.change === left.change && (found.mxFrame === 0 || isSameWal(found, left));`,
    to: `return found.change >= left.change || isSameWal(found, left);`,
    tests: ["replica/left-mark.test.ts"],
  },
  {
    name: "told-before-applied",
    mistake: "tells who waits for a transaction one too early",
    file: "replica/waiting.ts",
    from: `if (txid >= waiter.txid) waiter.resolve();`,
    to: `if (txid + 1 >= waiter.txid) waiter.resolve();`,
    tests: ["replica/waiting.test.ts"],
  },
  {
    name: "position-one-slot",
    mistake: "overwrites the only good copy of the position",
    file: "replica/position-file.ts",
    from: `(sequence % 2) * POSITION_SLOT_BYTES`,
    to: `0 * sequence * POSITION_SLOT_BYTES`,
    tests: ["replica/position-file.test.ts"],
  },
  {
    name: "landing-not-durable",
    mistake: "takes a resync for landed that a loss of power could undo",
    file: "replica/resync.ts",
    from: `appender.commit({ databasePageCount: pageCount, isDurable: true });`,
    to: `appender.commit({ databasePageCount: pageCount, isDurable: false });`,
    tests: ["replica/resync-landing.test.ts"],
  },
  {
    name: "landing-unannounced",
    mistake: "does not write down that a resync is landing",
    file: "replica/resync.ts",
    from: `  positionFile.write({ ...aim, phase: "resyncing" }, true);`,
    to: `  if (goal.state.txid < 0) positionFile.write({ ...aim, phase: "resyncing" }, true);`,
    tests: ["replica/resync-landing.test.ts"],
  },
  {
    name: "announced-size-unasked",
    mistake: "begins a download that does not fit on the disk",
    file: "replica/bootstrap.ts",
    from: `          room.database.take(imageBytes(found) - offset, "the primary's snapshot");`,
    to: `          room.database.take(0, "the primary's snapshot");`,
    tests: ["replica/bootstrap.test.ts"],
  },
  {
    name: "nothing-kept-free",
    mistake: "fills the disk to its last byte with what another node sends",
    file: "shared/storage/disk-room.ts",
    from: `space.freeBytes - Math.min(keepFreeBytes, space.sizeBytes * MOST_KEPT_FREE);`,
    to: `space.freeBytes;`,
    tests: ["shared/storage/disk-room.test.ts"],
  },
  {
    name: "room-believed-for-ever",
    mistake: "goes by the room that the disk had when it looked first",
    file: "shared/storage/disk-room.ts",
    from: `if (bytes > this.leftBytes || nowMs - this.lookedMs > FRESH_MS) this.look(nowMs);`,
    to: `if (this.lookedMs === -Infinity) this.look(nowMs);`,
    tests: ["shared/storage/disk-room.test.ts"],
  },
  {
    name: "trickle-endured",
    mistake: "waits for ever for a reader that takes a byte now and then",
    file: "shared/serve/taking-time.ts",
    from: `Math.min(limitMs, MAX_TIMER_MS)`,
    to: `Math.max(limitMs, MAX_TIMER_MS)`,
    tests: ["shared/serve/taking-time.test.ts"],
  },
  {
    name: "failed-sync-left",
    mistake: "leaves what a failed fsync has lost for the next start to read from memory",
    file: "shared/log/log-writer.ts",
    from: `      this.tryCut(this.syncedEnd.offset);
      throw this.break(`,
    to: `      throw this.break(`,
    tests: ["shared/log/log-writer.test.ts"],
  },
  {
    name: "lost-records-are-damage",
    mistake: "takes for damage what a loss of power has left of records on their way to the disk",
    file: "shared/log/verify-log.ts",
    from: `if (chain.head.txid < lackingAfter && !isLastRecord(error, folder, chain)) throw error;`,
    to: `if (!isLastRecord(error, folder, chain)) throw error;`,
    tests: ["shared/log/log-writer.test.ts"],
  },
  {
    name: "damage-is-a-torn-tail",
    mistake: "cuts acknowledged records off with a damaged one",
    file: "shared/log/verify-log.ts",
    from: `if (chain.head.txid < lackingAfter && !isLastRecord(error, folder, chain)) throw error;`,
    to: `if (chain.head.txid < 0) throw error;`,
    tests: ["shared/log/log-writer.test.ts"],
  },
  {
    name: "known-replicas-forgotten",
    mistake: "holds the log for nobody after a restart, until he asks again",
    file: "shared/tracking/replica-tracker.ts",
    from: `for (const replica of stored?.replicas ?? [])`,
    to: `for (const replica of stored?.replicas.slice(stored.replicas.length) ?? [])`,
    tests: ["shared/tracking/replica-tracker.test.ts"],
  },
  {
    name: "hanging-primary-is-fresh",
    mistake: "takes a primary that hangs for one that has nothing new",
    file: "shared/plan/freshness.ts",
    from: `return this.overrunMs !== undefined && nowMs <= this.overrunMs;`,
    to: `return this.overrunMs !== undefined && nowMs >= 0;`,
    tests: ["shared/plan/freshness.test.ts"],
  },
  {
    name: "emptied-wal-is-foreign",
    mistake: "takes a WAL that a checkpoint has emptied for somebody's write",
    file: "replica/left-mark.ts",
    from: `return found.change === left.change && (found.mxFrame === 0 || isSameWal(found, left));`,
    to: `return found.change === left.change && isSameWal(found, left);`,
    tests: ["replica/left-mark.test.ts"],
  },
  {
    name: "restart-not-remembered",
    mistake: "empties the replica's WAL, and does not write down that it did",
    file: "replica/wal-care.ts",
    from: `this.applier.note({ floor: applied, left: markOf(appender.header), ...stamped }, true);`,
    to: `this.applier.note({ floor: applied, stamp: stamped.stamp }, true);`,
    tests: ["replica/wal-care.test.ts"],
  },
  {
    name: "floor-raised-too-early",
    mistake: "takes a state for safe that readers have kept from being copied",
    file: "replica/wal-care.ts",
    from: `    if (!isComplete) return;
    // Without this`,
    to: `    // Without this`,
    tests: ["replica/wal-care.test.ts"],
  },
  {
    name: "floor-of-later-commits",
    mistake: "takes for safe what was committed while the checkpoint ran",
    file: "replica/wal-care.ts",
    from: `    this.applier.note({ floor: state }, true);`,
    to: `    this.applier.note({ floor: applied }, true);`,
    tests: ["replica/wal-care.test.ts"],
  },
  {
    name: "later-record-overlooked",
    mistake:
      "takes damage for a torn tail where the next record's header lies across two windows of the search",
    file: "shared/log/verify-log.ts",
    from: `Buffer.allocUnsafe(Math.min(SCAN_BYTES, size) + FRAGMENT_HEADER_BYTES)`,
    to: `Buffer.allocUnsafe(Math.min(SCAN_BYTES, size))`,
    tests: ["shared/log/log-writer.test.ts"],
  },
  {
    name: "wal-header-unsynced",
    mistake:
      "begins the SQLite WAL anew, and lets the disk put its frames under the header of the one before",
    file: "shared/sqlite/frame-writer.ts",
    from: `    writeFully(this.descriptor, header, 0);
    this.sync();`,
    to: `    writeFully(this.descriptor, header, 0);`,
    tests: ["shared/sqlite/wal-appender-order.test.ts"],
  },
  {
    name: "removed-segments-come-back",
    mistake: "removes segments without a sync of their folder: a loss of power brings some of them back",
    file: "shared/log/segment-files.ts",
    from: `removeSegment(folder, segment, () => syncFolder(folder));`,
    to: `removeSegment(folder, segment);`,
    tests: ["shared/log/segment-removal.test.ts"],
  },
  {
    name: "found-log-believed",
    mistake:
      "takes for durable what it reads from memory, though the sync of the process before may have failed",
    file: "shared/log/log-writer.ts",
    from: `    if (options.durability !== "os") log.writeAgain(synced.segment === end.segment ? synced.offset : 0);
`,
    to: "",
    tests: ["shared/log/log-copy-sync.test.ts"],
  },
  {
    name: "published-name-unsynced",
    mistake: "gives up the downloaded image before the name of the database is on the disk",
    file: "replica/bootstrap.ts",
    from: `    syncFolder(path.dirname(file));
    failpoint("bootstrap.published");`,
    to: `    failpoint("bootstrap.published");`,
    tests: ["replica/bootstrap.test.ts"],
  },
  {
    name: "segment-name-unsynced",
    mistake: "vouches for a segment of the log copy whose name a loss of power could take",
    file: "shared/log/log-copy.ts",
    from: `if (!isCertain || !isAsItWas || this.unsynced.length > 0) return;`,
    to: `if (!isCertain || !isAsItWas) return;`,
    tests: ["shared/log/log-copy-sync.test.ts"],
  },
  {
    name: "told-before-synced",
    mistake: "feeds others what is applied before it is on its own disk",
    file: "replica/log-intake.ts",
    from: `if (!this.isSyncing && local.unsyncedBytes === 0) onSettled(local.position!);`,
    to: `onSettled(local.position!);`,
    tests: ["replica/log-intake.test.ts"],
  },
  {
    name: "cached-for-any-history",
    mistake: "sends log of an earlier history that stood in the same place",
    file: "shared/serve/chunk-source.ts",
    from: "const key = `${head.logId}:${cursor.segment}:",
    to: "const key = `${cursor.segment}:",
    tests: ["shared/serve/chunk-source.test.ts"],
  },
  {
    name: "segment-of-older-epoch",
    mistake: "begins a segment under an epoch before that of the records in front of it",
    file: "shared/log/log-writer.ts",
    from: `epoch: Math.max(options.epoch, head.epoch),`,
    to: `epoch: options.epoch,`,
    tests: ["shared/log/log-writer.test.ts"],
  },
  {
    name: "unwritten-pages-forgotten",
    mistake: "leaves out the pages by which a commit enlarges the database without writing them",
    file: "primary/recorder.ts",
    from: `    this.addUnwritten(databasePageCount, mark);
`,
    to: ``,
    tests: ["primary/difference.test.ts"],
  },
  {
    name: "table-marked-within-transaction",
    mistake: "puts page hashes on disk of a transaction that is not in the log yet",
    file: "primary/capture.ts",
    from: `if (!this.tail.isWithinTransaction && this.gap === undefined) this.pageTable.flush(mark);`,
    to: `this.pageTable.flush(mark);`,
    tests: ["primary/difference.test.ts"],
  },
  {
    name: "copied-of-the-wal-before",
    mistake: "takes frames of a WAL that has begun anew for copied, because those before them were",
    file: "replica/wal-care.ts",
    from: `return salts === this.database.appender.header.salts ? Math.min(frames, this.frames) : 0;`,
    to: `return salts === "" ? 0 : Math.min(frames, this.frames);`,
    tests: ["replica/wal-care.test.ts"],
  },
  {
    name: "table-rot-believed",
    mistake: "takes the hashes of pages for those it wrote, whatever has become of them in their file",
    file: "shared/pages/page-table.ts",
    from: `if (xorOf(entries) !== (this.sums[index] ?? 0n)) {`,
    to: `if (index < 0) {`,
    tests: ["primary/damaged-table.test.ts", "shared/pages/page-table.test.ts"],
  },
  {
    name: "durability-unheard",
    mistake: "lets who asks for durability wait until it would have looked again anyway",
    file: "primary/commit-watch.ts",
    from: `    this.isWanted = true;
    this.wake?.();`,
    to: `    this.isWanted = true;`,
    tests: ["primary/commit-watch.test.ts"],
  },
  {
    name: "restored-file-called-followed",
    mistake: "vouches at its end for the file at the path, though somebody has put another one there since",
    file: "primary/clean-close.ts",
    from: "  if (!file.startsWith(`${database.identity}:`)) return false;\n",
    to: "",
    tests: ["primary/clean-close.test.ts"],
  },
  {
    name: "readers-taken-back",
    mistake: "lands a resync before where the replica was, because the log it was given does not lead on",
    file: "replica/resync.ts",
    from: `const isBehind = was !== undefined && goal.state.txid < was.applied.txid;`,
    to: `const isBehind = false;`,
    tests: ["replica/resync.test.ts"],
  },
  {
    name: "followers-not-waited-for",
    mistake: "sends whoever is ahead of a replica that has begun anew into a resync, back to where that is",
    file: "shared/serve/chunk-source.ts",
    from: `    if (isStillToCome(cursor, head)) throw behind(cursor, end);
`,
    to: ``,
    tests: ["shared/serve/wal-route.test.ts"],
  },
];
