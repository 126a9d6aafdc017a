/** An option of a tool. */
export interface ToolOption<T> {
  /** What stands for its value in the help; none where it takes none. */
  readonly placeholder?: string;
  readonly what: string;
  /** Without it. */
  readonly initial: T;
  /** That, for the help; where there is something to say. */
  readonly initialText?: string;
  /** @param before what came of it earlier on the same line */
  read?(text: string, before: T): T;
  /** What is asked where it has to be given, and is not. */
  readonly missing?: string;
  /** Options that make no sense beside it. */
  readonly never?: readonly string[];
}

/** What a value has to be; the message goes on after the value. */
export class WrongValue extends Error {}

type Given<T> = Pick<ToolOption<T>, "never" | "missing" | "initialText">;

export function flag(what: string, more: Given<boolean> = {}): ToolOption<boolean> {
  return { what, initial: false, ...more };
}

export function text<T extends string | undefined>(
  placeholder: string,
  what: string,
  initial: T,
  more: Given<string | T> = {},
): ToolOption<string | T> {
  return { placeholder, what, initial, read: (given) => given, ...more };
}

export function wholeNumber<T extends number | undefined>(
  placeholder: string,
  what: string,
  initial: T,
  { least = 1, ...more }: Given<number | T> & { readonly least?: number } = {},
): ToolOption<number | T> {
  const read = (given: string): number => {
    const number = Number(given);
    if (!/^\d+$/.test(given) || !Number.isSafeInteger(number) || number < least)
      throw new WrongValue(`It has to be a whole number from ${least} on.`);
    return number;
  };
  return { placeholder, what, initial, read, ...shown(initial), ...more };
}

/** A number from `least` on, or one above 0. */
export function minutes<T extends number | undefined>(
  what: string,
  initial: T,
  {
    least = 0,
    why = "",
    ...more
  }: Given<number | T> & { readonly least?: number; readonly why?: string } = {},
): ToolOption<number | T> {
  const read = (given: string): number => {
    const number = /^\d*\.?\d+$/.test(given) ? Number(given) : Number.NaN;
    if (!(number > 0 && number >= least))
      throw new WrongValue(`It has to be a number ${least > 0 ? `from ${least} on${why}` : "above 0"}.`);
    return number;
  };
  return { placeholder: "N", what, initial, read, ...shown(initial), ...more };
}

/** Several times, or several with commas between. */
export function names(
  what: string,
  known: readonly string[],
  { placeholder = "NAME", ...more }: Given<readonly string[]> & { readonly placeholder?: string } = {},
): ToolOption<readonly string[]> {
  const read = (given: string, before: readonly string[]): readonly string[] => {
    const wanted = given.split(",");
    const unknown = wanted.find((name) => !known.includes(name));
    if (unknown !== undefined) throw new WrongValue(`There is no ${unknown}, but ${known.join(", ")}.`);
    return [...before, ...wanted];
  };
  return { placeholder, what, initial: [], read, ...more };
}

/** One of these. */
export function choice<T extends string>(
  placeholder: string,
  what: string,
  known: readonly T[],
): ToolOption<T | undefined> {
  const read = (given: string): T => {
    const found = known.find((each) => each === given);
    if (found === undefined) throw new WrongValue(`It has to be ${known.join(" or ")}.`);
    return found;
  };
  return { placeholder, what, initial: undefined, read };
}

function shown(initial: number | undefined): { readonly initialText?: string } {
  return initial === undefined ? {} : { initialText: String(initial) };
}
