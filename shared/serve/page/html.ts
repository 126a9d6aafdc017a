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

/** Somebody else's text, which may be in a script that runs from right to left: it does not turn what is around it. */
export function foreign(text: string): Html {
  return html`<bdi>${printable(text)}</bdi>`;
}

/** A sentence in which the given ids stand. */
export function sentence(text: string, ids: readonly string[]): Html {
  const parts: unknown[] = [];
  let rest = text;
  for (const id of ids) {
    const index = placeOf(id, rest);
    if (index < 0) continue;
    parts.push(printable(rest.slice(0, index)), foreign(id));
    rest = rest.slice(index + id.length);
  }
  return html`${[...parts, printable(rest)]}`;
}

/** As a word by itself: an id may well be a part of another word. */
function placeOf(id: string, text: string): number {
  if (id === "") return -1;
  for (let index = text.indexOf(id); index >= 0; index = text.indexOf(id, index + 1)) {
    const before = text[index - 1] ?? " ";
    const after = text[index + id.length] ?? " ";
    if (" (".includes(before) && " ,)".includes(after)) return index;
  }
  return -1;
}
