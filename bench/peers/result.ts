import type { QuestionName, Scale } from "./contract.ts";

/** What a run has found: all that the document says. */
export interface PeersResult {
  readonly bench: "peers";
  readonly startedAt: string;
  readonly minutes: number;
  readonly isQuick: boolean;
  readonly repetitions: number;
  readonly machine: Machine;
  readonly scale: Scale;
  readonly peers: readonly PeerInRun[];
  readonly answers: readonly Answer[];
  readonly failures: readonly Failure[];
}

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly fileSystem: string;
  readonly node: string;
  readonly loadBefore: readonly number[];
  readonly loadAfter: readonly number[];
}

export interface PeerInRun {
  readonly name: string;
  readonly title: string;
  readonly settings: string;
  /** Missing where it is not installed. */
  readonly version?: string;
  readonly howToGet: string;
  readonly notes: Readonly<Partial<Record<QuestionName, string>>>;
}

/** One figure, a value for each repetition that had one. */
export interface Answer {
  readonly question: QuestionName;
  readonly peer: string;
  readonly metric: string;
  readonly values: number[];
}

export interface Failure {
  readonly question: QuestionName;
  readonly peer: string;
  readonly message: string;
}
