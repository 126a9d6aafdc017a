import { describe, expect, test } from "vitest";
import { judge } from "./judge.ts";

/** Evenly around a middle. */
const around = (middle: number, part: number): number[] =>
  Array.from({ length: 21 }, (_, index) => middle * (1 + (part * (index - 10)) / 10));

describe("a ratio is held against the recorded one", () => {
  const quiet = around(1, 0.002);

  test("and kept within the limit", () => {
    expect(judge({ ratios: around(1.22, 0.01), noise: quiet }, 1.2, 0.03)).toMatchObject({ verdict: "kept" });
  });

  test("and worse beyond it", () => {
    const judged = judge({ ratios: around(1.25, 0.01), noise: quiet }, 1.2, 0.03);
    expect(judged.verdict).toBe("worse");
    expect(judged.grownPart).toBeCloseTo(0.0417, 3);
  });

  test("and better, which is to be recorded", () => {
    expect(judge({ ratios: around(1.1, 0.01), noise: quiet }, 1.2, 0.03).verdict).toBe("better");
  });

  test("one spoiled round changes nothing", () => {
    const ratios = [...around(1.2, 0.01), 9];
    expect(judge({ ratios, noise: quiet }, 1.2, 0.03).verdict).toBe("kept");
  });

  test("where the machine is too noisy for the limit, nothing is said", () => {
    expect(judge({ ratios: around(1.5, 0.01), noise: around(1, 0.2) }, 1.2, 0.03).verdict).toBe("unstable");
    expect(judge({ ratios: around(1.5, 0.2), noise: quiet }, 1.2, 0.03).verdict).toBe("unstable");
  });
});
