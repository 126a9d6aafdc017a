import { describe, expect, it } from "vitest";
import { exercises } from "./drill/catalog.ts";
import { drill } from "./drill/drill.ts";
import { Tally } from "./drill/tally.ts";
import { Chance } from "./harness/seed.ts";

/** Of each kind one that is soon over; `npm run drill` does all of them, for as long as wanted. */
const SHORT = ["kill-all", "restore-running"];

describe("a short drill", () => {
  it(
    "of kill -9 and of a restored backup, under load: every acknowledged commit is found, nothing torn is read",
    { timeout: 240_000 },
    async () => {
      const said: string[] = [];
      const tally = new Tally();
      const failure = await drill({
        tally,
        seed: new Chance().seed,
        exercises: exercises.filter(({ name }) => SHORT.includes(name)),
        goesOn: (cycles) => cycles < SHORT.length,
        say: (line) => said.push(line),
      });
      expect(failure, said.join("\n")).toBeNull();
      const all = tally.rows().at(-1)!;
      expect(all).toMatchObject({ cycles: SHORT.length, lost: 0, torn: 0 });
      expect(all["acknowledged"]).toBeGreaterThan(0);
      expect(all["found"]).toBe(all["acknowledged"]);
      expect(all["kills"]).toBeGreaterThanOrEqual(6);
    },
  );
});
