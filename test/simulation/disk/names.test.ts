import { expect, test } from "vitest";
import { Random } from "../core/random.ts";
import { Names } from "./names.ts";

const SEEDS = Array.from({ length: 100 }, (_, seed) => String(seed));

/** The names after a loss of power, for each seed made anew; each way once. */
function outcomes(make: () => Names<string>): Set<string> {
  return new Set(
    SEEDS.map((seed) => {
      const names = make();
      names.losePower(new Random(seed));
      return [...names.entries()]
        .map(([path, entry]) => `${path}=${entry}`)
        .toSorted()
        .join(" ");
    }),
  );
}

function replaced(): Names<string> {
  const names = new Names<string>();
  names.settle("/d", "folder");
  names.settle("/d/a", "old");
  names.put("/d/a.tmp", "new");
  names.rename("/d/a.tmp", "/d/a");
  return names;
}

test("a rename without a sync of the folder may be undone, and the old file is back", () => {
  expect(outcomes(replaced)).toEqual(
    new Set(["/d/a=new /d=folder", "/d/a.tmp=new /d/a=old /d=folder", "/d/a=old /d=folder"]),
  );
});

test("with one it stays", () => {
  const found = outcomes(() => {
    const names = replaced();
    names.sync("/d");
    return names;
  });
  expect(found).toEqual(new Set(["/d/a=new /d=folder"]));
});

test("the sync of another folder keeps only what came before its own last change", () => {
  const kept = outcomes(() => {
    const names = new Names<string>();
    names.put("/d/first", "1");
    names.put("/e/second", "2");
    names.put("/d/third", "3");
    names.sync("/e");
    names.sync("/elsewhere");
    return names;
  });
  expect(kept).toEqual(new Set(["/d/first=1 /e/second=2", "/d/first=1 /d/third=3 /e/second=2"]));
});

test("a folder that is renamed takes its files along, over what was there", () => {
  const names = new Names<string>();
  for (const [path, entry] of [
    ["/a", "folder"],
    ["/a/x", "1"],
    ["/b", "folder"],
  ] as const)
    names.put(path, entry);
  names.rename("/a", "/b");
  expect(Object.fromEntries(names.entries())).toEqual({ "/b": "folder", "/b/x": "1" });
});
