import { median } from "../harness/result.ts";
import type { Metric, Question } from "./contract.ts";
import { QUESTIONS } from "./questions.ts";
import type { PeerInRun, PeersResult } from "./result.ts";

const OWN = "tailrace";
/** Less than this is no difference. */
const MARGIN = 1.05;

export interface Loss {
  readonly question: Question;
  readonly metric: Metric;
  readonly peer: PeerInRun;
  /** Medians. */
  readonly own: number;
  readonly theirs: number;
  /** How many times as good theirs is. */
  readonly factor: number;
  /** Some repetition of ours was as good as some of theirs. */
  readonly doesOverlap: boolean;
}

/** Where another's median is better than Tailrace's, the worst first within a question. */
export function findLosses(result: PeersResult): readonly Loss[] {
  return QUESTIONS.flatMap((question) =>
    question.metrics
      .flatMap((metric) => lossesIn(result, question, metric))
      .toSorted((one, other) => other.factor - one.factor),
  );
}

function lossesIn(result: PeersResult, question: Question, metric: Metric): readonly Loss[] {
  const { better, resolution = 0 } = metric;
  const isHere = (answer: { question: string; metric: string }): boolean =>
    answer.question === question.name && answer.metric === metric.name;
  const answers = result.answers.filter(isHere);
  const ownValues = answers.find(({ peer }) => peer === OWN)?.values;
  if (ownValues === undefined || better === undefined) return [];
  const own = median(ownValues);
  return answers
    .filter(({ peer }) => !peer.startsWith(OWN))
    .flatMap(({ peer: name, values }) => {
      const theirs = median(values);
      const isLow = better === "lower";
      const factor = isLow ? own / theirs : theirs / own;
      const peer = result.peers.find((one) => one.name === name);
      const isClear = factor > MARGIN && Math.abs(own - theirs) > resolution;
      if (peer === undefined || !isClear) return [];
      const doesOverlap = isLow
        ? Math.min(...ownValues) <= Math.max(...values)
        : Math.max(...ownValues) >= Math.min(...values);
      return [{ question, metric, peer, own, theirs, factor, doesOverlap }];
    });
}
