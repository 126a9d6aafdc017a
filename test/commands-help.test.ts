import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { commands } from "../src/commands.ts";
import { Transcript } from "./harness/golden.ts";

/*
 * Every command exists under the name that the contract and the README give it, and says what it does.
 */

const README = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
/** PROTOCOL.md's list, as far as it is built. */
const PROMISED =
  "primary replica demo status replicas wal snapshots verify snapshot checkpoint forget check repair".split(
    " ",
  );

const names = commands.map(({ name }) => name);
/** The rows of the README's table of commands: `| `tailrace status URL` | … |`. */
const documented = [...README.matchAll(/^\| `tailrace (\S+)[^|]*` \|/gm)].map(([, name]) => name);

test("the list of commands is what is promised", async () => {
  expect(names).toEqual(expect.arrayContaining(PROMISED));
  const transcript = new Transcript("The commands there are.");
  await transcript.run(commands, ["--help"]);
  transcript.expectGolden("help/tailrace");
});

test("the README's table names each command, and none that there is not", () => {
  expect(new Set(documented)).toEqual(new Set(names));
});

test.each(names)("%s says what it does and takes", async (name) => {
  const transcript = new Transcript(`What tailrace ${name} takes.`);
  const { code } = await transcript.run(commands, [name, "--help"]);
  expect(code).toBe(0);
  transcript.expectGolden(`help/${name}`);
});
