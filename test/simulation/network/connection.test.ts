import { expect, test } from "vitest";
import { Random } from "../core/random.ts";
import { startProcess, withMachine } from "../edges/testing-machine.ts";
import { Connection } from "./connection.ts";
import { GOOD, Link } from "./link.ts";

test("bytes arrive in the order in which they were sent, also where the way was cut under some of them", async () => {
  const { scheduler, mainThread: thread } = withMachine("order", (machine) => ({
    scheduler: machine.scheduler,
    mainThread: startProcess(machine).mainThread,
  }));
  const link = new Link(new Random("order"));
  link.quality = { ...GOOD, bytesPerMs: 1, splitChance: 0, lossChance: 0 };
  const ends = { client: { thread, port: 1 }, server: { thread, port: 2 } };
  const { client, server } = new Connection({ scheduler, link, ...ends });
  let arrived = "";
  server.socket.on("data", (bytes: Buffer) => (arrived += bytes.toString()));
  const sent = ["a", "b".repeat(100)];
  for (const text of sent) client.socket.write(text);
  link.cut();
  await scheduler.step();
  link.heal();
  while ((await scheduler.step()) !== undefined);
  expect(arrived).toBe(sent.join(""));
});
