import { join } from "node:path";
import { MessageChannel } from "node:worker_threads";
import { onTestFinished } from "vitest";
import { runServer } from "../../shared/serve/server.ts";
import type { CapturedDatabase } from "./captured-database.ts";
import { whenReady } from "./serving-node.ts";

/** The real server on the real capture. @returns its URL */
export async function serving(database: CapturedDatabase): Promise<string> {
  const { port1, port2 } = new MessageChannel();
  const options = {
    host: "127.0.0.1",
    port: 0,
    logFolder: join(database.dataDir, "log"),
    enginePort: port2,
    role: "primary" as const,
    version: "1.2.3",
  };
  const { port, close } = await runServer(options, Date.now);
  onTestFinished(async () => {
    await close(0);
    port1.close();
  });
  await database.capture.connectServe(port1);
  const url = `http://127.0.0.1:${port}`;
  await whenReady(url);
  return url;
}
