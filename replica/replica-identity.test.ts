import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { LogPrimary } from "../test/harness/log-primary.ts";
import { temporaryFolder } from "../test/harness/folder.ts";
import { NodeProcess } from "../test/harness/node-process.ts";
import { writeMeta } from "../shared/storage/meta-file.ts";
import { startFollowing } from "./follow-thread.ts";
import type { FollowThread } from "./follow-thread.ts";
import type { Position } from "../shared/format/position.ts";
import { ReplicaIdentity } from "./replica-identity.ts";

const draw = (name: string) => () => name;

test("the name drawn at the first start stays, and one that is given takes its place", () => {
  const meta = path.join(temporaryFolder(), "meta.json");
  expect(ReplicaIdentity.open(meta, undefined, draw("first")).replicaId).toBe("first");
  expect(ReplicaIdentity.open(meta, undefined, draw("second")).replicaId).toBe("first");
  expect(ReplicaIdentity.open(meta, "given", draw("third")).replicaId).toBe("given");
  expect(ReplicaIdentity.open(meta, undefined, draw("fourth")).replicaId).toBe("given");
});

test("a primary's folder is refused", () => {
  const meta = path.join(temporaryFolder(), "meta.json");
  const logId = "0".repeat(32);
  writeMeta(meta, { role: "primary", logId, epoch: 1, databaseFile: "1:2", pageSizeBytes: 4096 });
  expect(() => ReplicaIdentity.open(meta, undefined, draw("x"))).toThrow(/is a primary's/);
});

test("the epoch of one history never goes back; another history may come with any", () => {
  const folder = temporaryFolder();
  const [meta, file] = [path.join(folder, "meta.json"), path.join(folder, "edge.db")];
  writeFileSync(file, "");
  const identity = ReplicaIdentity.open(meta, "name", draw("x"));
  const note = (history: string, epoch: number): void =>
    identity.note({ logId: history.repeat(32), epoch, pageSizeBytes: 4096 } as Position, file);
  note("a", 2);
  note("a", 1);
  expect(ReplicaIdentity.open(meta, undefined, draw("x")).seen).toMatchObject({ epoch: 2 });
  note("b", 1);
  expect(ReplicaIdentity.open(meta, undefined, draw("x")).seen).toMatchObject({
    logId: "b".repeat(32),
    epoch: 1,
  });
});

async function follow(primary: string, file: string): Promise<FollowThread> {
  return await startFollowing({
    primary,
    file,
    dataDir: `${file}-tailrace`,
    driverName: "node:sqlite",
    durability: "os",
    onForeignWrite: "stop",
  });
}

test("a replica killed before it had a database comes back under the same name", async () => {
  const folder = temporaryFolder();
  const file = path.join(folder, "edge.db");
  const primary = new LogPrimary(path.join(folder, "primary"));
  await primary.listen();
  const program = path.join(import.meta.dirname, "../test/programs/follow.ts");
  const env = { TAILRACE_FAILPOINT: "bootstrap.verified" };
  await new NodeProcess(program, [primary.url, file], { env }).exited;
  expect(existsSync(file)).toBe(false);
  const { replicaId } = JSON.parse(readFileSync(`${file}-tailrace/meta.json`, "utf8")) as {
    replicaId: string;
  };
  const replica = await follow(primary.url, file);
  await replica.ready;
  expect(replica.status()).toMatchObject({ id: replicaId });
  await replica.close();
  await primary.close();
});

test("an epoch once seen is not forgotten with the position: a primary of an older one is refused", async () => {
  const folder = temporaryFolder();
  const file = path.join(folder, "edge.db");
  const primary = new LogPrimary(path.join(folder, "primary"));
  await primary.listen();
  const first = await follow(primary.url, file);
  await first.sync();
  await first.close();
  const meta = `${file}-tailrace/meta.json`;
  writeFileSync(meta, readFileSync(meta, "utf8").replace(`"epoch": 1`, `"epoch": 2`));
  const again = await follow(primary.url, file);
  const code = async (): Promise<unknown> => (again.status()["lastError"] as { code: string } | null)?.code;
  await expect.poll(code).toBe("stale_epoch");
  await again.close();
  await primary.close();
});
