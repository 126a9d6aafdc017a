/** A state that the application has committed. */
export interface Commit {
  /** In the order of commits, over all that ever happened. */
  readonly index: number;
  /** The state that it was made from. */
  readonly parent: number;
  readonly checksum: bigint;
  readonly pageCount: number;
  /** What the application itself counts in its table: see schema.ts. */
  readonly step: number;
  /** Of all rows and the schema. */
  readonly digest: string;
}

/** A page count and a checksum say which state it is, whoever looks. */
interface State {
  readonly checksum: bigint;
  readonly pageCount: number;
}

/**
 * What is true of a primary's database: every state that was committed, and the states in the order in which the database
 * was in them. The two differ where history went back: the machine lost commits that were not on disk, or an older copy
 * was put in place.
 */
export class Oracle {
  readonly commits: Commit[] = [];
  /** Indices of commits. */
  readonly timeline: number[] = [];
  private readonly byChecksum = new Map<bigint, Commit[]>();

  get present(): Commit {
    return this.commits[this.timeline.at(-1) ?? -1]!;
  }

  get end(): number {
    return this.timeline.length - 1;
  }

  commit(state: Omit<Commit, "index" | "parent">): Commit {
    const commit = { ...state, index: this.commits.length, parent: this.timeline.at(-1) ?? -1 };
    this.commits.push(commit);
    this.byChecksum.set(commit.checksum, [...(this.byChecksum.get(commit.checksum) ?? []), commit]);
    this.timeline.push(commit.index);
    return commit;
  }

  /** The database is in an earlier state again, or in a later one than that. @returns false where it never was in it */
  moveTo(state: State): boolean {
    const commit = this.find(state).at(-1);
    if (commit === undefined) return false;
    if (commit.index !== this.timeline.at(-1)) this.timeline.push(commit.index);
    return true;
  }

  /** Each time that this state was committed. */
  find({ checksum, pageCount }: State): readonly Commit[] {
    return (this.byChecksum.get(checksum) ?? []).filter((commit) => commit.pageCount === pageCount);
  }

  /** The first place in the timeline, from `from` on, at which the database was in that state; undefined where there is none. */
  placeFrom(from: number, state: State): number | undefined {
    const wanted = new Set(this.find(state).map(({ index }) => index));
    for (let place = Math.max(0, from); place < this.timeline.length; place++)
      if (wanted.has(this.timeline[place]!)) return place;
    return undefined;
  }
}
