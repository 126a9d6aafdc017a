import { TailraceError } from "../shared/errors.ts";

/** The base URL of a node, without a slash at the end. @throws invalid_request */
export function parseNodeUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "") {
    throw new TailraceError("invalid_request", `URL is ${JSON.stringify(text)}: not the address of a node`, {
      hint: "A node's address looks like http://127.0.0.1:4800.",
    });
  }
  return url.href.replace(/\/+$/, "");
}

/** A node's address as it is shown: a password in it is nobody's business. */
export function shownUrl(url: string): string {
  return url.replace(/^(https?:\/\/)[^/@]*@/, "$1");
}
