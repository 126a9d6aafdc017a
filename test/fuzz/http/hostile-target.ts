import { Chance } from "../../harness/seed.ts";
import { must } from "../engine/target.ts";
import type { OpenTarget, Outcome, Step, Target } from "../engine/target.ts";
import { HostileStory, LIES } from "./hostile-story.ts";
import { pick } from "./odd-values.ts";

/** A replica whose primary lies to it, in a way that its name and a seed say. */
export const hostileTarget: Target = {
  name: "http/hostile",
  maxMs: 25_000,
  shortRun: 3,
  open: async () => new OpenHostile(await HostileStory.start()),
};

class OpenHostile implements OpenTarget {
  private readonly story: HostileStory;

  constructor(story: HostileStory) {
    this.story = story;
  }

  propose(chance: Chance): readonly Step[] {
    return [{ op: "lie", name: pick(chance, Object.keys(LIES)), seed: chance.integer(0, 2 ** 31) }];
  }

  async run(steps: readonly Step[]): Promise<Outcome> {
    for (const { name, seed } of steps) {
      if (LIES[String(name)] === undefined) continue;
      const { problem } = await this.story.tell(String(name), new Chance(Number(seed)));
      must(problem === undefined, `${String(name)}: ${problem}`);
    }
    return "refused";
  }

  close(): Promise<void> {
    return this.story.close();
  }
}
