import type { Question } from "./contract.ts";
import { bootstrap } from "./questions/bootstrap.ts";
import { catchUp } from "./questions/catch-up.ts";
import { commits } from "./questions/commits.ts";
import { idle } from "./questions/idle.ts";
import { lag } from "./questions/lag.ts";
import { memory } from "./questions/memory.ts";
import { reads } from "./questions/reads.ts";
import { writerCost } from "./questions/writer-cost.ts";

/** In the order in which they are asked: the bulk comes last. */
export const QUESTIONS: readonly Question[] = [
  lag,
  commits,
  writerCost,
  reads,
  idle,
  memory,
  catchUp,
  bootstrap,
];
