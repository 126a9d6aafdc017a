import type { TrackedReplica } from "./tracked-replica.ts";

/** Who is forgotten first, to make room for another: of the silent ones the longest silent, but all who follow last. */
export function longestSilent(
  replicas: Iterable<TrackedReplica>,
  isSilent: (replica: TrackedReplica) => boolean,
): TrackedReplica | undefined {
  let longest: TrackedReplica | undefined;
  for (const replica of replicas) {
    if (!isSilent(replica)) continue;
    const isBetter =
      longest === undefined ||
      (longest.isFollowing && !replica.isFollowing) ||
      (longest.isFollowing === replica.isFollowing && replica.lastSeenMs < longest.lastSeenMs);
    if (isBetter) longest = replica;
  }
  return longest;
}
