import { describe, expect, test } from "vitest";
import { benchTool } from "../../../bench/options.ts";
import { PEER_COMPARISON } from "../../../bench/peers/options.ts";
import { drillTool } from "../../drill/options.ts";
import { fuzzTool } from "../../fuzz/options.ts";
import { mutantsTool } from "../../mutants/options.ts";
import { SIMULATION } from "../../simulation/options.ts";
import { SOAK } from "../../soak/options.ts";
import { read } from "./tool.ts";
import type { Tool } from "./tool.ts";

const TOOLS = {
  sim: SIMULATION,
  drill: drillTool(["kill-all", "stop"]),
  soak: SOAK,
  fuzz: fuzzTool(["log", "http/routes"]),
  mutants: mutantsTool(["no-fsync"]),
  bench: benchTool(["lag", "guard"]),
  peers: PEER_COMPARISON,
} as const satisfies Readonly<Record<string, unknown>>;
type Name = keyof typeof TOOLS;

function reading(name: Name, line: string): ReturnType<typeof read<unknown>> {
  return read(TOOLS[name] as Tool<unknown>, line.split(" ").filter(Boolean));
}

test.each(Object.keys(TOOLS) as Name[])(
  "%s --help says how it is used, each option with what it does",
  (name) => {
    const { options, command } = TOOLS[name] as Tool<Record<string, unknown>>;
    const help = reading(name, "--help");
    expect(help).toMatchObject({ exitCode: 0, text: expect.stringContaining(`Usage: ${command} [options]`) });
    for (const option of Object.keys(options))
      expect(help).toMatchObject({ text: expect.stringContaining(`--${option}`) });
  },
);

describe("wrong input gets one line, with what is wrong and the way out, and nothing is done", () => {
  test.each<readonly [Name, string, RegExp]>([
    ["sim", "--seeds 2 --jobs abc", /'abc'.* whole number from 1 on/],
    ["sim", "--seeds 0", /--seeds.*'0'.* whole number from 1 on/],
    ["sim", "--steps -5", /'-5'/],
    ["sim", "--steps 1e400", /'1e400'/],
    ["sim", "--omit foo", /'foo'.* 3-9,12/],
    ["sim", "--omit 9-3", /'9-3'/],
    ["sim", "--bogus", /unknown option '--bogus'/],
    ["sim", "--step 5", /Did you mean --steps\?/],
    ["sim", "--seeds", /--seeds.* argument missing/],
    ["sim", "7", /'7' belongs to no option/],
    ["sim", "--seeds 2 --shrink", /--shrink.*--seeds/],
    ["sim", "--seeds 2 --json", /--json.*--seeds/],
    ["drill", "kill-al", /no kill-al, but kill-all, stop/],
    ["drill", "--only stop,kil", /no kil, but/],
    ["drill", "--minutes 0", /'0'.* above 0/],
    ["drill", "--seed x", /'x'/],
    ["soak", "--minutes 2", /'2'.* from 3 on.*warm-up/],
    ["fuzz", "--minutes -1", /'-1'/],
    ["fuzz", "--minutes 1 --inputs 5", /--minutes.*--inputs|--inputs.*--minutes/],
    ["fuzz", "--target nothing", /no nothing, but log, http\/routes/],
    ["mutants", "--by magic", /'magic'.* tests or simulation/],
    ["mutants", "--bogus", /'--bogus'/],
    ["bench", "lag lags", /no lags, but lag, guard/],
    ["bench", "", /which/],
    ["peers", "--repeat 0", /'0'/],
    ["peers", "--only nobody", /no nobody, but tailrace/],
  ])("%s %s", (name, line, problem) => {
    const { text, exitCode } = { text: "", exitCode: 0, ...reading(name, line) };
    expect(exitCode).toBe(2);
    expect(text).toMatch(problem);
    expect(text).toMatch(/^[^\n]+ See npm run [^\n]+ --help\n$/);
  });
});

describe("right input is what it says", () => {
  test("defaults, ranges, what is denied", () => {
    expect(reading("sim", "--no-faults --omit 3-5,9 --decisions 0")).toMatchObject({
      values: {
        seeds: 1,
        steps: 2_000,
        "no-faults": true,
        omit: [3, 4, 5, 9],
        decisions: 0,
        seed: undefined,
      },
    });
    expect(reading("sim", "")).toMatchObject({ values: { "no-faults": false, shrink: false, omit: [] } });
  });

  test("names come with an option and without, one by one and with commas", () => {
    expect(reading("drill", "stop --only kill-all,stop --minutes .5")).toMatchObject({
      values: { only: ["kill-all", "stop", "stop"], minutes: 0.5 },
    });
  });
});
