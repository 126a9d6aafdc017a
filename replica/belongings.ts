/** What a running replica has open or in memory, and would miss only at its next start if somebody deleted it. */
export interface Belonging {
  readonly path: string;
  /** Whether the path still leads to it. */
  readonly isHere: boolean;
  /** Writes it anew, durably. @throws data_folder_in_use, read_only, storage_failed */
  putBack(): void;
}

/** What is known by heart is written anew where it is gone. @throws as {@link Belonging.putBack} */
export function putBack(belongings: readonly Belonging[], report: (message: string) => void): void {
  for (const belonging of belongings) {
    if (belonging.isHere) continue;
    belonging.putBack();
    report(`${belonging.path} was gone: it is written anew`);
  }
}
