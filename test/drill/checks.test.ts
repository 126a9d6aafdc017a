import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../harness/folder.ts";
import { until } from "../harness/node-process.ts";
import { shell } from "../harness/shell.ts";
import { Ledger } from "./ledger.ts";
import { PythonProcess } from "./python-process.ts";
import type { Seen } from "./readers.ts";

/* What the drill looks for, it finds. */

/** Some commits of a real writer, and its journal. */
async function written(): Promise<{ readonly file: string; readonly journal: string }> {
  const folder = temporaryFolder();
  const [file, journal] = [join(folder, "app.db"), join(folder, "journal")];
  const writer = new PythonProcess("writer.py", [file, journal, "0", "1000"]);
  await until(
    "five commits",
    () => readFileSync(journal, "utf8"),
    (text) => text.split("\n").length > 5,
  );
  await writer.stop();
  return { file, journal };
}

test("the ledger names what was acknowledged and is missing, or is another commit's", async () => {
  const { file, journal } = await written();
  const ledger = new Ledger([journal]);
  ledger.cycle = 1;
  // A writer killed while it noted a commit down.
  appendFileSync(journal, "999 beef");
  ledger.read();
  expect(ledger.acknowledgedInCycle).toBeGreaterThanOrEqual(5);
  expect(ledger.missingIn(file)).toEqual([]);
  shell(file, "DELETE FROM entry WHERE n = 2; UPDATE entry SET token = 'another' WHERE n = 3");
  const missing = ledger.missingIn(file);
  expect(missing.map(({ what }) => what.replace(/[0-9a-f]{16}/, "TOKEN"))).toEqual([
    "0 2 TOKEN of cycle 1, found undefined",
    "0 3 TOKEN of cycle 1, found another",
  ]);
});

test("what an older backup takes back is not expected any more, and all else is", async () => {
  const { file, journal } = await written();
  const backup = `${file}.backup`;
  shell(file, `.backup '${backup}'`);
  appendFileSync(journal, "1000 later\n");
  const ledger = new Ledger([journal]);
  ledger.read();
  expect(ledger.missingIn(file)).toHaveLength(1);
  ledger.takeBackTo(backup);
  expect(ledger.missingIn(file)).toEqual([]);
  shell(file, "DELETE FROM entry WHERE n = 1");
  expect(ledger.missingIn(file)).toHaveLength(1);
});

test("a reader tells of steps back and of torn states", async () => {
  const { file } = await written();
  const reader = new PythonProcess("reader.py", [file, "0", "0"]);
  await reader.nextLine();
  const report = (): Promise<Seen> =>
    until(
      "it has looked again",
      async () => JSON.parse(await reader.ask("report")) as Seen,
      ({ looks, torn }) => looks + torn.length > 0,
    );
  const afterwards = async (sql: string): Promise<Seen> => {
    shell(file, sql);
    await report();
    return report();
  };
  expect(await report()).toMatchObject({ torn: [], back: [], failed: [] });
  const back = "DELETE FROM entry WHERE n = (SELECT max(n) FROM entry); UPDATE spread SET step = step - 1";
  shell(file, `BEGIN; ${back}; COMMIT`);
  const seen = [await report(), await report()];
  expect(seen.flatMap((each) => each.back)).toEqual([expect.stringMatching(/^\d+ to \d+$/)]);
  for (const torn of [
    "UPDATE spread SET step = step + 1 WHERE id = 7",
    "UPDATE spread SET step = (SELECT max(step) FROM spread) - 1; UPDATE spread SET balance = 1 WHERE id = 0",
  ])
    expect((await afterwards(torn)).torn.length, torn).toBeGreaterThan(0);
  await reader.stop();
});
