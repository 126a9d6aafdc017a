import { expect, test } from "vitest";
import { TailraceError } from "../shared/errors.ts";
import type { Notice } from "../shared/notice.ts";
import { Landing } from "./landing.ts";

test("a way that fails again and again is told of once, until it has led somewhere", async () => {
  const notices: Notice[] = [];
  let isThere = false;
  const local = {
    position: { applied: { txid: 3, pageCount: 9 } },
    bootstrap: async (): Promise<void> => {
      if (!isThere) throw new TailraceError("unreachable", "nobody answers", { retryable: true });
    },
  };
  const landing = new Landing({
    local,
    client: { fetchedBytes: 0 },
    source: "http://primary/",
    tell: (notice: Notice) => notices.push(notice),
  } as unknown as ConstructorParameters<typeof Landing>[0]);
  const { signal } = new AbortController();
  for (let tries = 0; tries < 3; tries++)
    await expect(landing.bootstrap(signal)).rejects.toMatchObject({ code: "unreachable" });
  isThere = true;
  await landing.bootstrap(signal);
  await landing.bootstrap(signal);
  expect(notices.map(({ name }) => name)).toEqual([
    "bootstrap_started",
    "bootstrap_done",
    "bootstrap_started",
    "bootstrap_done",
  ]);
});
