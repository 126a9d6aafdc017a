/*
 * Upper bounds of the histograms. Few enough that a scrape stays small, and near the figures that matter.
 */

/** 0.1 ms to 10 s: an fsync of a good SSD takes 0.1 to 1 ms, one of a disk that is at its end takes seconds. */
export const LATENCY_SECONDS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** A pass over a whole database: 0.1 s to an hour. */
export const PASS_SECONDS: readonly number[] = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600];

/** 1 KiB to 4 MiB, the most that one answer carries unless more is asked for. */
export const CHUNK_BYTES: readonly number[] = [1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304];
