import { chmodSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { temporaryFolder } from "../../test/harness/folder.ts";
import { whyNotCounted } from "./instructions.ts";

describe("a machine that does not count instructions says why", () => {
  let folder = "";

  beforeEach(() => {
    folder = temporaryFolder();
    vi.stubEnv("PATH", folder);
  });
  afterEach(() => void vi.unstubAllEnvs());

  function mkfifo(): void {
    symlinkSync("/usr/bin/mkfifo", join(folder, "mkfifo"));
  }

  function perf(script: string): void {
    mkfifo();
    writeFileSync(join(folder, "perf"), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, "perf"), 0o755);
  }

  test("without mkfifo", () => {
    expect(whyNotCounted()).toBe("mkfifo (of GNU coreutils) is not installed");
  });

  test("without perf", () => {
    mkfifo();
    expect(whyNotCounted()).toBe("perf is not installed");
  });

  test("where nobody may count", () => {
    perf("echo 'Access to performance monitoring is limited.' >&2; exit 255");
    expect(whyNotCounted()).toBe("perf (exit 255) says: Access to performance monitoring is limited.");
  });

  test("where the processor has no counter to give", () => {
    perf("echo '<not supported>,,instructions:u,0,100.00,,' >&2");
    expect(whyNotCounted()).toContain("<not supported>");
  });

  test("and one that does says nothing", () => {
    perf("echo '112482,,instructions:u,106330,100.00,,' >&2");
    expect(whyNotCounted()).toBeUndefined();
  });
});
