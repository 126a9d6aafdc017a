import { html as template } from "hono/html";
import { printable } from "../../human.ts";

/** Text that is HTML already, with all that was put in escaped. */
export type Html = ReturnType<typeof template>;

/** Every value put in is escaped, unless it is Html itself. */
export const html: (strings: TemplateStringsArray, ...values: unknown[]) => Html = template;

/** As it is sent. */
export function textOf(content: Html): string {
  // Only a promise put in would make it one.
  return (content as Awaited<Html>).toString();
}

/** Characters that are not seen, and turn around, or hide, what stands beside them. */
const INVISIBLE = /[\u00AD\u061C\u200B-\u200F\u202A-\u202E\u2060-\u2069\uFEFF\u{E0000}-\u{E007F}]/gu;

/** Somebody else's text as it may stand on the page: what cannot be seen is made visible. */
export function visible(text: string): string {
  return printable(text.toWellFormed()).replaceAll(
    INVISIBLE,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/** Somebody else's text, which may be in a script that runs from right to left: it does not turn what is around it. */
export function foreign(text: string): Html {
  return html`<bdi>${visible(text)}</bdi>`;
}

/** A sentence in which the given ids stand. */
export function sentence(text: string, ids: readonly string[]): Html {
  const parts: unknown[] = [];
  let rest = text;
  for (const id of ids) {
    const index = id === "" ? -1 : rest.indexOf(id);
    if (index < 0) continue;
    parts.push(visible(rest.slice(0, index)), foreign(id));
    rest = rest.slice(index + id.length);
  }
  return html`${[...parts, visible(rest)]}`;
}
