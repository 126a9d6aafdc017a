import { setTimeout as pause } from "node:timers/promises";
import type { NodeProcess } from "../../test/harness/node-process.ts";
import type { Workspace } from "../harness/workspace.ts";
import type { Target } from "./contract.ts";

/** Past this a question has no answer: the document says so. */
export const LIMIT_MS = 120_000;

type Argument = string | number;

export function startClient(
  space: Workspace,
  verb: string,
  target: Target,
  ...argv: readonly Argument[]
): NodeProcess {
  return space.program("peer-client", [verb, JSON.stringify(target), ...argv]);
}

/** @returns what a client says at its end. @throws when it fails, or takes longer than the limit */
export async function endOfClient<T>(client: NodeProcess, limitMs: number = LIMIT_MS): Promise<T> {
  const ending = await Promise.race([client.exited, pause(limitMs, undefined, { ref: false })]);
  if (ending === undefined) {
    await client.kill();
    throw new Error(`took more than ${limitMs / 1000} s`);
  }
  if (ending.code !== 0) throw new Error(lastError(client.text));
  return JSON.parse(client.text.trimEnd().split("\n").at(-1)!) as T;
}

export async function runClient<T>(
  space: Workspace,
  verb: string,
  target: Target,
  ...argv: readonly Argument[]
): Promise<T> {
  return await endOfClient<T>(startClient(space, verb, target, ...argv));
}

function lastError(text: string): string {
  return text.match(/^\w*Error.*$/m)?.[0] ?? text.trim().slice(-200);
}
