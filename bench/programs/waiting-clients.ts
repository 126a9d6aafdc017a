/**
 * `waiting-clients.ts URL COUNT`: that many clients in one process, each on a connection of its own, hold a GET on the
 * URL given on standard input line by line. A line is "URL": all ask it at once, and "waiting" is printed when all
 * requests have been sent; when every one is answered, a JSON line says at which moment (microseconds of
 * CLOCK_MONOTONIC) the first and the last answer were complete, and what the first one's headers were.
 */
import { Agent, request } from "node:http";
import { createInterface } from "node:readline";

const count = Number(process.argv[2] ?? 1);
const agents = Array.from({ length: count }, () => new Agent({ keepAlive: true, maxSockets: 1 }));

interface Answer {
  readonly momentUs: number;
  readonly status: number | undefined;
  readonly headers: Record<string, unknown>;
  readonly sizeBytes: number;
}

function ask(url: string, agent: Agent, onSent: () => void): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent }, (response) => {
      let sizeBytes = 0;
      response.on("data", (chunk: Buffer) => (sizeBytes += chunk.length));
      response.on("end", () => {
        const momentUs = Number(process.hrtime.bigint()) / 1e3;
        resolve({ momentUs, status: response.statusCode, headers: response.headers, sizeBytes });
      });
    });
    asked.on("error", reject);
    asked.on("finish", onSent);
    asked.end();
  });
}

for await (const url of createInterface({ input: process.stdin })) {
  let sent = 0;
  const answers = await Promise.all(
    agents.map((agent) => ask(url, agent, () => ++sent === count && console.log("waiting"))),
  );
  const moments = answers.map(({ momentUs }) => momentUs);
  const [first] = answers;
  console.log(
    JSON.stringify({
      firstUs: Math.min(...moments),
      lastUs: Math.max(...moments),
      ok: answers.filter(({ status, sizeBytes }) => status === 200 && sizeBytes === first!.sizeBytes).length,
      sizeBytes: first!.sizeBytes,
      headers: first!.headers,
    }),
  );
}
for (const agent of agents) agent.destroy();
