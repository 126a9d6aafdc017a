import { connect } from "node:net";
import type { Socket } from "node:net";
import { setTimeout as after } from "node:timers/promises";
import type { StatusDocument } from "../../../shared/status.ts";
import type { Chance } from "../../harness/seed.ts";
import { must } from "../engine/target.ts";
import type { OpenTarget, Outcome, Step, Target } from "../engine/target.ts";
import { NodePair } from "./node-pair.ts";
import { pick } from "./odd-values.ts";

/** How long the connections stay. */
const STAY_MS = 60;
/** Until all that they took is given back. */
const BACK_MS = 10_000;
/** Descriptors that come and go by themselves: SQLite's, of segments, keep-alive connections of the replica. */
const SLACK = 24;
/** Who waits at the end of the log follows it, whatever the name: those are listed, worst first, and let go in time. */
const MAX_INVENTED = 1_000;

/** What each of many connections does. */
const KINDS: Readonly<Record<string, (socket: Socket, index: number) => void>> = {
  "says nothing": () => {},
  "says half of a request": (socket) => socket.write("GET /status HTTP/1.1\r\nhost: x\r\nx-a: "),
  "says a byte at a time": (socket) => drip(socket, "GET /status HTTP/1.1\r\nhost: x\r\n", 1),
  "sends a body without end": (socket) =>
    drip(
      socket,
      `POST /admin/verify HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${"1\r\nx\r\n".repeat(1000)}`,
      50,
    ),
  "promises a body and sends none": (socket) =>
    socket.write("POST /admin/checkpoint HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n"),
  "reads no answer": (socket) => {
    socket.pause();
    socket.write("GET /snapshot/latest HTTP/1.1\r\nhost: x\r\n\r\n".repeat(8));
  },
  "asks and asks, and reads nothing": (socket) => {
    socket.pause();
    socket.write("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n".repeat(8));
  },
  "says that it is done before it has asked": (socket) => socket.end(),
  "breaks off": (socket) => {
    socket.write("GET /wal?segment=1&offset=0 HTTP/1.1\r\nhost: x\r\n\r\n");
    socket.resetAndDestroy();
  },
  "waits under a name of its own": (socket, index) =>
    socket.write(
      `GET /wal?segment=1&offset=9999999&wait_ms=60000&replica_id=flood-${index} HTTP/1.1\r\nhost: x\r\n\r\n` +
        `GET /wal?segment=1&offset=80&wait_ms=60000&replica_id=flood-${index}&applied_txid=9007199254740991 HTTP/1.1\r\nhost: x\r\n\r\n`,
    ),
  "goes by the name of another": (socket) =>
    socket.write(
      "GET /wal?segment=1&offset=0&replica_id=well-behaved&applied_txid=0 HTTP/1.1\r\nhost: x\r\n\r\n",
    ),
};

/** Many connections at once that do not behave: what they took comes back, and others are served meanwhile. */
export const connectionsTarget: Target = {
  name: "http/connections",
  maxMs: 20_000,
  shortRun: 2,
  open: async (folder) => OpenConnections.start(await NodePair.start(folder)),
};

class OpenConnections implements OpenTarget {
  private readonly pair: NodePair;
  private readonly descriptors: number;

  private constructor(pair: NodePair, descriptors: number) {
    this.pair = pair;
    this.descriptors = descriptors;
  }

  static start(pair: NodePair): OpenConnections {
    return new OpenConnections(pair, pair.countDescriptors());
  }

  propose(chance: Chance): readonly Step[] {
    const kind = pick(chance, Object.keys(KINDS));
    const node = chance.next() < 0.7 ? "primary" : "replica";
    return [{ op: "connections", node, kind, count: chance.integer(1, 400) }];
  }

  async run(steps: readonly Step[]): Promise<Outcome> {
    const sockets: Socket[] = [];
    try {
      for (const { kind, node, count } of steps) {
        const act = KINDS[String(kind)];
        if (act === undefined) continue;
        const port = this.pair.port(node === "replica" ? "replica" : "primary");
        for (let index = 0; index < Number(count); index++) {
          const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
          socket.on("error", () => {}).on("connect", () => act(socket, index));
          sockets.push(socket);
        }
      }
      await after(STAY_MS);
      await this.pair.commit();
    } finally {
      for (const socket of sockets) socket.destroy();
    }
    await this.givenBack();
    this.pair.check();
    return "accepted";
  }

  close(): Promise<void> {
    return this.pair.close();
  }

  private async givenBack(): Promise<void> {
    const end = performance.now() + BACK_MS;
    const excess = (): number => this.pair.countDescriptors() - this.descriptors;
    while (excess() > SLACK && performance.now() < end) await after(5);
    must(excess() <= SLACK, `${excess()} descriptors more than before are open`);
    const { replicas } = (await this.pair.status("primary")) as unknown as StatusDocument;
    const invented = replicas.filter(({ id }) => id.startsWith("flood-"));
    must(invented.length <= MAX_INVENTED, `${invented.length} invented replicas are remembered`);
  }
}

function drip(socket: Socket, text: string, size: number): void {
  let at = 0;
  const timer = setInterval(() => socket.write(text.slice(at, (at += size))), 1);
  socket.on("close", () => clearInterval(timer));
}
