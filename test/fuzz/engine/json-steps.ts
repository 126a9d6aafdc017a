import type { Chance } from "../../harness/seed.ts";
import { oneOf } from "./numbers.ts";
import type { Step } from "./target.ts";

type Path = readonly (string | number)[];

/** Values that some reader of JSON was surprised by, once. */
const ODD: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  -1,
  1,
  0.5,
  1e-7,
  2 ** 31,
  2 ** 32,
  2 ** 32 - 1,
  8.64e15,
  8.64e15 + 1,
  2 ** 53 - 1,
  2 ** 53,
  -(2 ** 53),
  1e21,
  1e308,
  "",
  " ",
  "0",
  "none",
  "-1",
  "ff".repeat(16),
  "g".repeat(32),
  "a\u0000b",
  "\u001b[31m",
  "\u001b]0;x\u0007",
  "line\nline",
  "\u202e\u2066",
  "\ud800",
  "../../../../etc/passwd",
  "x".repeat(5000),
  "__proto__",
  [],
  {},
  [null],
  [[[[[[]]]]]],
  { __proto__: null },
];
const ODD_KEYS = ["__proto__", "constructor", "toString", "then", "formatVersion", "", "length"];

/** Changes to a document that know where its values are. */
export function proposeDocument(seeds: readonly unknown[], chance: Chance): readonly Step[] {
  const steps: Step[] = [{ op: "document", document: oneOf(chance, seeds) }];
  for (let left = chance.integer(0, 3); left > 0; left--) {
    const paths = [...pathsOf(steps[0]!["document"])];
    const path = oneOf(chance, paths);
    const kind = chance.next();
    if (kind < 0.6) steps.push({ op: "set", path, value: oneOf(chance, ODD) });
    else if (kind < 0.75) steps.push({ op: "remove", path });
    else if (kind < 0.85) steps.push({ op: "set", path, from: oneOf(chance, paths) });
    else steps.push({ op: "set", path: [...path, oneOf(chance, ODD_KEYS)], value: oneOf(chance, ODD) });
  }
  const kind = chance.next();
  if (kind < 0.05) steps.push({ op: "cut", part: chance.next() });
  else if (kind < 0.1) steps.push({ op: "flip", part: chance.next(), bit: chance.integer(0, 7) });
  else if (kind < 0.12) steps.push({ op: "nest", times: 20_000 });
  return steps;
}

/** The document that the steps make, as a value; as text by {@link buildDocumentText}. */
export function buildDocument(steps: readonly Step[]): unknown {
  let document: unknown = null;
  for (const step of steps) {
    if (step.op === "document") document = structuredClone(step["document"]);
    else if (step.op === "set") {
      const value = step["from"] === undefined ? step["value"] : at(document, step["from"] as Path);
      document = withValue(document, step["path"] as Path, structuredClone(value));
    } else if (step.op === "remove") remove(document, step["path"] as Path);
  }
  return document;
}

export function buildDocumentText(steps: readonly Step[]): string {
  let text = JSON.stringify(buildDocument(steps)) ?? "";
  for (const step of steps) {
    const place = Math.floor((step["part"] as number) * text.length);
    if (step.op === "cut") text = text.slice(0, place);
    if (step.op === "flip" && text !== "") {
      const flipped = String.fromCharCode(text.charCodeAt(place) ^ (1 << (step["bit"] as number)));
      text = text.slice(0, place) + flipped + text.slice(place + 1);
    }
    if (step.op === "nest") text = "[".repeat(step["times"] as number) + text;
  }
  return text;
}

function* pathsOf(value: unknown, path: Path = []): Generator<Path> {
  yield path;
  if (typeof value !== "object" || value === null) return;
  const keys = Array.isArray(value) ? value.keys() : Object.keys(value);
  for (const key of keys) yield* pathsOf((value as Record<string | number, unknown>)[key], [...path, key]);
}

function at(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((part, key) => (part as Record<string, unknown> | null)?.[key], value) ?? null;
}

function withValue(document: unknown, path: Path, value: unknown): unknown {
  const last = path.at(-1);
  if (last === undefined) return value;
  const parent = at(document, path.slice(0, -1));
  // The length of a list is no value in a document.
  const isLength = Array.isArray(parent) && last === "length";
  if (typeof parent === "object" && parent !== null && !isLength)
    Object.defineProperty(parent, last, { value, enumerable: true, writable: true, configurable: true });
  return document;
}

function remove(document: unknown, path: Path): void {
  const parent = at(document, path.slice(0, -1));
  const last = path.at(-1);
  if (last !== undefined && typeof parent === "object" && parent !== null)
    Reflect.deleteProperty(parent, last);
}
