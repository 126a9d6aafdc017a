import { buildBytes, proposeBytes } from "./byte-steps.ts";
import type { ByteFormat } from "./byte-steps.ts";
import type { Outcome, Target } from "./target.ts";

/** What a target of bytes is made of. */
export interface ByteTarget {
  readonly name: string;
  readonly shortRun?: number;
  /** @returns what its inputs look like, and what reads them; bytes that change nothing outlast the call */
  readonly open: (folder: string) => ByteFormat & {
    readonly run: (bytes: Buffer) => Outcome | Promise<Outcome>;
    readonly close?: () => void;
  };
}

/** A target whose inputs are the bytes of one file, or of a part of one. */
export function byteTarget({ name, shortRun = 400, open }: ByteTarget): Target {
  return {
    name,
    shortRun,
    maxMs: 1_000,
    open(folder) {
      const { run, close, ...format } = open(folder);
      return {
        propose: (chance) => proposeBytes(format, chance),
        run: (steps) => run(buildBytes(format, steps)),
        frozen: (steps) => [{ op: "bytes", base64: buildBytes(format, steps).toString("base64") }],
        ...(close === undefined ? {} : { close }),
      };
    },
  };
}
