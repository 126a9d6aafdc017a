import type { LoggedRecord } from "./log-files.ts";

/** A record that a primary's log has had, and which commit it is of. */
export interface KnownRecord {
  readonly record: LoggedRecord;
  /** Indices in the oracle: more than one where the same state was committed more than once. */
  readonly commits: ReadonlySet<number>;
  /** In the oracle's timeline: at or after it the database was in that state. */
  readonly place: number;
}

/** What each log has held so far, also of segments that are gone. */
export class LogHistory {
  /** Of each log and transaction, all records that a primary ever wrote, also those that gave way to others. */
  private readonly written = new Map<string, Map<number, LoggedRecord[]>>();
  private readonly logs = new Map<string, Map<number, KnownRecord>>();
  private readonly heads = new Map<string, number>();

  enter(logId: string, known: KnownRecord): void {
    this.wrote(logId, known.record);
    const log = this.logs.get(logId) ?? new Map<number, KnownRecord>();
    this.logs.set(logId, log.set(known.record.txid, known));
    this.heads.set(logId, known.record.txid);
  }

  /** Whichever primary it was, and whatever has become of it. */
  wrote(logId: string, record: LoggedRecord): void {
    const log = this.written.get(logId) ?? new Map<number, LoggedRecord[]>();
    this.written.set(logId, log);
    const records = log.get(record.txid) ?? [];
    if (!records.some(({ crc }) => crc === record.crc)) log.set(record.txid, [...records, record]);
  }

  /** Whether anything is known of that log. */
  hasSeen(logId: string): boolean {
    return this.written.has(logId);
  }

  everWritten(logId: string, txid: number): readonly LoggedRecord[] {
    return this.written.get(logId)?.get(txid) ?? [];
  }

  /** Undefined also for the state before the first transaction. */
  find(logId: string, txid: number): KnownRecord | undefined {
    return this.logs.get(logId)?.get(txid);
  }

  knows(logId: string): boolean {
    return this.logs.has(logId);
  }

  /** Of the newest record. */
  headOf(logId: string): number {
    return this.heads.get(logId) ?? 0;
  }

  /** The log ends with that transaction, and goes on from there in another way. */
  cut(logId: string, txid: number): void {
    const log = this.logs.get(logId);
    if (log === undefined) return;
    for (let gone = this.headOf(logId); gone > txid; gone--) log.delete(gone);
    this.heads.set(logId, txid);
  }
}
