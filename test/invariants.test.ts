import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

/** INVARIANTS.md binds each invariant to the tests that hold it. Here the bindings themselves are tested. */

const root = join(import.meta.dirname, "..");
const INVARIANTS = [
  "Order",
  "Atomicity",
  "Monotony",
  "Idempotence",
  "Determinism",
  "Durability",
  "Continuity",
  "Retention",
  "Fencing",
  "Local first",
  "Nothing unverified",
  "Bounds",
] as const;

interface Binding {
  readonly file: string;
  readonly name: string;
}

interface Invariant {
  readonly number: number;
  readonly title: string;
  readonly bindings: readonly Binding[];
}

function parse(text: string): readonly Invariant[] {
  return text
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [, number, title] = /^(\d+)\. (.+)$/m.exec(section) ?? [];
      const bindings = [...section.matchAll(/^- (\S+\.test\.ts): (.+)$/gm)].map(
        ([, file = "", name = ""]) => ({
          file,
          name,
        }),
      );
      return { number: Number(number), title: title ?? "", bindings };
    });
}

/** Why a binding holds nothing; undefined when it is sound. */
function flaw({ file, name }: Binding): string | undefined {
  const path = join(root, file);
  if (!existsSync(path)) return `${file} does not exist`;
  // A test's name is a literal in its file: as the first argument of test, it or describe, with .each(…) or without.
  const literals = [`"${name}"`, `'${name}'`, `\`${name}\``];
  const lines = readFileSync(path, "utf8").split("\n");
  const found = lines.some((line) => {
    const code = line.trim();
    if (code.startsWith("//") || code.startsWith("*") || /\b(skip|todo)\b/.test(code)) return false;
    return literals.some((literal) => code.includes(literal));
  });
  return found ? undefined : `${file} has no test "${name}"`;
}

describe("INVARIANTS.md", () => {
  const invariants = parse(readFileSync(join(root, "INVARIANTS.md"), "utf8"));

  test("has the invariants of the design, numbered in order", () => {
    expect(invariants.map(({ number, title }) => `${number}. ${title}`)).toEqual(
      INVARIANTS.map((title, index) => `${index + 1}. ${title}`),
    );
  });

  test.each(invariants)("$number. $title is bound to tests that exist", ({ bindings }) => {
    expect(bindings.length).toBeGreaterThan(0);
    expect(bindings.map(flaw).filter((found) => found !== undefined)).toEqual([]);
  });
});

describe("an invariant that is not held is found out", () => {
  test("without a test", () => {
    expect(parse("# I\n\n## 1. Order\nIn order.\n")).toEqual([{ number: 1, title: "Order", bindings: [] }]);
  });

  test("with a test file that does not exist", () => {
    expect(flaw({ file: "test/no-such.test.ts", name: "anything" })).toBe(
      "test/no-such.test.ts does not exist",
    );
  });

  test("with a test that does not exist", () => {
    expect(flaw({ file: "src/verify.test.ts", name: ["no", "such", "test"].join(" ") })).toBe(
      'src/verify.test.ts has no test "no such test"',
    );
  });
});
