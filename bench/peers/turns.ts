import { setTimeout as pause } from "node:timers/promises";
import { Workspace } from "../harness/workspace.ts";
import { runClient } from "./client-program.ts";
import type { Cluster, Peer, Question, Scale, Session } from "./contract.ts";
import type { Answer, Failure } from "./result.ts";

const LAST_WORDS_MS = 15_000;
const FOLDERS_OF_A_RUN = /\/\S*tailrace-bench-\w+/g;

/** Asks the peers, turn by turn; what one of them fails at stays with it. */
export class Turns {
  readonly answers: Answer[] = [];
  readonly failures: Failure[] = [];
  private readonly scale: Scale;
  private readonly questions: readonly Question[];
  private space: Workspace | undefined;
  private current: Promise<void> = Promise.resolve();
  private isStopped = false;

  constructor(scale: Scale, questions: readonly Question[]) {
    this.scale = scale;
    this.questions = questions;
  }

  /** One peer, in one repetition. What has failed once is not asked again: time is bounded. */
  async take(peer: Peer, repetition: number): Promise<void> {
    const start = performance.now();
    this.current = this.run(peer);
    await this.current;
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.error(`repetition ${repetition + 1}, ${peer.name}: ${seconds} s`);
  }

  /** For interruptions: ends every process of the turn, removes its folder, and begins no other. */
  async stop(): Promise<void> {
    this.isStopped = true;
    // What the turn still starts while its processes are ended, it ends itself.
    await this.space?.[Symbol.asyncDispose]();
    await Promise.race([this.current, pause(LAST_WORDS_MS)]);
  }

  private async run(peer: Peer): Promise<void> {
    const questions = this.questions.filter(
      ({ name }) =>
        peer.questions.includes(name) &&
        !this.failures.some((failure) => failure.peer === peer.name && failure.question === name),
    );
    if (questions.length === 0 || this.isStopped) return;
    try {
      await using space = new Workspace();
      this.space = space;
      const cluster = await startCluster(peer, space, questions);
      const session: Session = { space, cluster, scale: this.scale };
      for (const question of questions) if (!this.isStopped) await this.ask(peer, question, session);
    } catch (error) {
      for (const question of questions) this.fail(peer, question, error);
    }
  }

  private async ask(peer: Peer, question: Question, session: Session): Promise<void> {
    try {
      const figures = await question.ask(session);
      for (const [metric, value] of Object.entries(figures)) this.add(peer, question, metric, value);
    } catch (error) {
      this.fail(peer, question, error);
    }
  }

  private add({ name: peer }: Peer, { name: question }: Question, metric: string, value: number): void {
    const known = this.answers.find(
      (answer) => answer.peer === peer && answer.question === question && answer.metric === metric,
    );
    if (known === undefined) this.answers.push({ question, peer, metric, values: [value] });
    else known.values.push(value);
  }

  private fail(peer: Peer, { name }: Question, error: unknown): void {
    if (this.isStopped) return;
    const message = (error as Error).message.split("\n")[0]!.replaceAll(FOLDERS_OF_A_RUN, "…");
    console.error(`${peer.name}, ${name}: ${message}`);
    this.failures.push({ peer: peer.name, question: name, message });
  }
}

/** With its replica following and readable, unless all that is asked begins with none. */
async function startCluster(peer: Peer, space: Workspace, questions: readonly Question[]): Promise<Cluster> {
  const cluster = await peer.start(space);
  if (questions.every(({ name }) => name === "bootstrap")) return cluster;
  await cluster.startReplica();
  const anything = 0;
  await runClient(space, "until", cluster.replica, anything);
  return cluster;
}
