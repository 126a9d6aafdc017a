/**
 * What the driver, the peers and the questions have of each other. A peer is a product, or what products of its kind are
 * the limit of; a cluster is one primary and one replica of it, started as its makers recommend.
 */
import type { Workspace } from "../harness/workspace.ts";

/** How a client reaches a database. Goes to client programs as JSON. */
export interface Target {
  readonly client: "sqlite" | "tailrace" | "postgres" | "libsql" | "libsql-replica" | "rqlite";
  /** A file, a folder with a socket, or a URL. */
  readonly address: string;
  /** Where an embedded replica gets its data from. */
  readonly source?: string;
  readonly isReadOnly?: boolean;
  /** The replica stands still while a reader keeps its connection open: each look opens its own. */
  readonly isReopened?: boolean;
}

export interface Row {
  readonly id: number;
  readonly value: Uint8Array;
}

/** One connection. What is synchronous in the peer's usual client may be so here. */
export interface Client {
  create(): Promise<void> | void;
  /** One transaction with these rows; back when it is as durable as the peer makes it. */
  commit(rows: readonly Row[]): Promise<void> | void;
  /** The highest id visible, 0 if none is. */
  newest(): Promise<number> | number;
  read(id: number): Promise<void> | void;
  close(): Promise<void> | void;
}

export interface Cluster {
  readonly primary: Target;
  readonly replica: Target;
  /** A database of the same kind that nobody replicates. Without it, replication is off while the replica is stopped. */
  readonly alone?: Target;
  /** Back when the replica is on its way: its readers may still see nothing. It goes on with what it has. */
  startReplica(): Promise<void>;
  stopReplica(): Promise<void>;
  /** Removes what a stopped replica has, as if it had never been. */
  forgetReplica(): Promise<void> | void;
  /**
   * Main processes of primary and replica; their descendants count with them, clients do not. A replica that lives in its
   * reader's process is brought up by this, in a process of its own.
   */
  processes(): Promise<readonly number[]> | readonly number[];
}

export type QuestionName =
  | "lag"
  | "commits"
  | "writer-cost"
  | "reads"
  | "idle"
  | "memory"
  | "catch-up"
  | "bootstrap";

export interface Peer {
  readonly name: string;
  readonly title: string;
  /** Durability above all; said in the document. */
  readonly settings: string;
  readonly howToGet: string;
  /** The questions that have an answer here. */
  readonly questions: readonly QuestionName[];
  /** What a reader of the figures has to know: why there is none, or how the work differs. */
  readonly notes: Readonly<Partial<Record<QuestionName, string>>>;
  /** @returns undefined where it is not installed */
  version(): string | undefined;
  /** Done once, before anything is measured. */
  prepare?(space: Workspace): void;
  start(space: Workspace): Promise<Cluster>;
}

/** How much of each work is done. */
export interface Scale {
  readonly lagSeconds: number;
  readonly burstSeconds: number;
  readonly idleSeconds: number;
  readonly bulkBytes: number;
}

export interface Metric {
  readonly name: string;
  readonly label: string;
  /** Missing where a figure only explains the others: nobody wins or loses by it. */
  readonly better?: "lower" | "higher";
  /** Less than this apart, two values cannot be told from each other. */
  readonly resolution?: number;
}

export interface Question {
  readonly name: QuestionName;
  readonly title: string;
  /** What the figures mean, and how they were got. */
  meaning(scale: Scale): string;
  readonly metrics: readonly Metric[];
  /** Figures by the name of their metric. */
  ask(session: Session): Promise<Readonly<Record<string, number>>>;
}

/** One peer's cluster within one repetition; questions are asked one after the other. */
export interface Session {
  readonly space: Workspace;
  readonly cluster: Cluster;
  readonly scale: Scale;
  /** The last id of the bulk once it is there. */
  bulkLast?: number;
}
