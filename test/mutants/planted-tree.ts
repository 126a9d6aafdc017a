import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Fault } from "./faults.ts";

/** The top of this checkout. */
export const CHECKOUT: string = fileURLToPath(new URL("../../", import.meta.url));

/** @throws where the fault's code does not stand exactly once in the file: the list has to follow the code */
export function withFault(code: string, { name, file, from, to }: Fault): string {
  const places = code.split(from).length - 1;
  if (places !== 1) throw new Error(`${name}: ${file} has its code ${places} times, not once`);
  return code.replace(from, () => to);
}

/** A copy of the checkout, as it is in the working tree, in which faults are planted one at a time. */
export class PlantedTree implements Disposable {
  readonly folder: string = mkdtempSync(join(tmpdir(), "tailrace-mutants-"));

  constructor() {
    const listed = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"];
    const files = execFileSync("git", listed, { cwd: CHECKOUT, encoding: "utf8" })
      .split("\0")
      .filter(Boolean);
    for (const file of files) {
      mkdirSync(join(this.folder, dirname(file)), { recursive: true });
      cpSync(join(CHECKOUT, file), join(this.folder, file));
    }
    symlinkSync(join(CHECKOUT, "node_modules"), join(this.folder, "node_modules"));
  }

  /** @returns takes it out again */
  plant(fault: Fault): Disposable {
    const path = join(this.folder, fault.file);
    const sound = readFileSync(path, "utf8");
    writeFileSync(path, withFault(sound, fault));
    return { [Symbol.dispose]: () => writeFileSync(path, sound) };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
