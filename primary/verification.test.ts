import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import type { Notice } from "../shared/notice.ts";
import { CapturedDatabase } from "../test/harness/captured-database.ts";
import { get } from "../test/harness/http.ts";
import { serving } from "../test/harness/serve-captured.ts";
import { verificationStatusSchema } from "../shared/status.ts";
import type { VerificationStatus } from "../shared/status.ts";

const DAMAGED_PAGE = 300;
/** Some 500 pages that nothing writes to afterwards. */
const FILL = `
c.execute("PRAGMA journal_mode=WAL")
c.execute("CREATE TABLE still(v BLOB)")
c.execute("WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 500) INSERT INTO still SELECT randomblob(3500) FROM i")
c.execute("CREATE TABLE moving(v BLOB)")
`;
const COMMIT = `c.execute("INSERT INTO moving VALUES (randomblob(20000))")`;
/** In another process, by the file alone: what a disk does. */
const FLIP = `
import sys
with open(sys.argv[1], "r+b") as file:
    at = (int(sys.argv[2]) - 1) * 4096 + 2000
    file.seek(at); byte = file.read(1)[0] ^ 1
    file.seek(at); file.write(bytes([byte]))
`;

/** Begins, and has an application commit until it has ended. */
async function verify(url: string, database: CapturedDatabase): Promise<VerificationStatus> {
  let answer = await get(`${url}/admin/verify`, { method: "POST" });
  expect(answer.status).toBe(202);
  for (;;) {
    const status = verificationStatusSchema.parse(JSON.parse(answer.body.toString()));
    if (status.state !== "running") return status;
    database.python(COMMIT);
    answer = await get(`${url}/admin/verify`);
  }
}

test("POST /admin/verify while an application writes: identical; after one bit was flipped on the disk, its page is named", async () => {
  const database = new CapturedDatabase();
  database.python(FILL);
  await database.start();
  const notices: Notice[] = [];
  database.capture.on("notice", (told) => notices.push(told));
  const url = await serving(database);
  expect((await get(`${url}/admin/checkpoint`, { method: "POST" })).status).toBe(200);
  const sound = await verify(url, database);
  expect(sound).toMatchObject({ state: "identical", differentPages: [], error: null });
  expect(sound.pagesDone).toBeGreaterThan(500);
  execFileSync("python3", ["-c", FLIP, database.file, String(DAMAGED_PAGE)]);
  expect(await verify(url, database)).toMatchObject({ state: "different", differentPages: [DAMAGED_PAGE] });
  const told = (): Notice[] => notices.filter(({ name }) => name.startsWith("verification"));
  await expect.poll(told).toMatchObject([
    { level: "info", name: "verification_done", fields: { txid: sound.txid } },
    {
      level: "error",
      name: "verification_different",
      text: expect.stringContaining(`(page ${DAMAGED_PAGE})`),
      fields: { differentPages: 1 },
    },
  ]);
  expect((await database.status()).errors).toMatchObject([{ code: "damaged" }]);
});
