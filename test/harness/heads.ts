import { MessageChannel } from "node:worker_threads";
import type { CaptureThread } from "../../primary/capture-thread.ts";
import { RpcClient } from "../../shared/rpc.ts";
import type { EngineEvents, EngineMethods, NodeHead } from "../../shared/serve/engine.ts";

/** Hears of each head of a capture as a serving thread does, of the present one at once. @returns what ends it */
export async function hearHeads(
  capture: CaptureThread,
  onHead: (head: NodeHead) => void,
): Promise<() => void> {
  const { port1, port2 } = new MessageChannel();
  new RpcClient<EngineMethods, EngineEvents>(port1).on("head", onHead);
  await capture.connectServe(port2);
  return () => port1.close();
}
