import { rmSync } from "node:fs";
import { ServingProcess } from "../harness/node-process.ts";

/** In a line of the log. All that is no such line is Node's own: a warning, a stack. */
const MISTAKE = /"internal"|assertion failed|Cannot read properties|is not a function|is not defined/;
/** Also on a machine that has much else to do. */
const START_LIMIT_MS = 90_000;

type Environment = Readonly<Record<string, string>>;

/** A real Tailrace node that is killed, frozen and started again; what it has said in all its lives is kept. */
export class DrillNode {
  readonly name: string;
  readonly file: string;
  readonly dataDir: string;
  private readonly argv: () => readonly string[];
  private readonly onUp: (port: number) => void;
  private readonly pastLives: string[] = [];
  private life: ServingProcess | undefined;
  private heardLength = 0;
  kills = 0;

  constructor(
    name: string,
    paths: { readonly file: string; readonly dataDir: string },
    argv: () => readonly string[],
    onUp: (port: number) => void = () => {},
  ) {
    this.name = name;
    this.file = paths.file;
    this.dataDir = paths.dataDir;
    this.argv = argv;
    this.onUp = onUp;
  }

  get process(): ServingProcess {
    if (this.life === undefined) throw new Error(`${this.name} was never started`);
    return this.life;
  }

  get isRunning(): boolean {
    return this.life?.isRunning === true;
  }

  /** All that it has said, in all its lives. */
  get text(): string {
    return [...this.pastLives, this.life?.text ?? ""].join("\n");
  }

  /** How often it fetched a snapshot or compared all pages. */
  get resyncs(): number {
    return this.text.match(/"name":"(resync|bootstrap)_done"/g)?.length ?? 0;
  }

  /** What it has said since this was asked last that no node says, whatever is done to it: mistakes of its makers. */
  takeConfessions(): string[] {
    const { text } = this;
    const end = text.lastIndexOf("\n") + 1;
    const lines = text.slice(this.heardLength, end).split("\n");
    this.heardLength = end;
    return lines.filter((line) => (line !== "" && !line.startsWith("{")) || MISTAKE.test(line));
  }

  /** Starts it, without waiting until it is there. */
  launch(env: Environment = {}): void {
    if (this.isRunning) throw new Error(`${this.name} runs already`);
    if (this.life !== undefined) this.pastLives.push(this.life.text);
    this.life = ServingProcess.launch(this.argv(), { env });
  }

  async start(env: Environment = {}): Promise<void> {
    this.launch(env);
    await this.process.ready(START_LIMIT_MS);
    this.onUp(Number(this.process.port));
  }

  /** What an operator removes for a replica to begin anew. While it does not run. */
  removeFiles(): void {
    for (const path of [this.file, `${this.file}-wal`, `${this.file}-shm`, this.dataDir])
      rmSync(path, { recursive: true, force: true });
  }

  /** After a {@link launch}, or whatever may have ended it: waits until it is there, started again if it has to be. */
  async arrive(): Promise<void> {
    if (!this.isRunning) this.launch();
    await this.process.ready(START_LIMIT_MS).catch(() => this.start());
    this.onUp(Number(this.process.port));
  }

  async kill(): Promise<void> {
    if (this.isRunning) this.kills += 1;
    await this.process.kill();
  }

  async stop(): Promise<void> {
    await this.process.stop();
  }
}
