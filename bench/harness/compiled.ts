import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const CHECKOUT = fileURLToPath(new URL("../../", import.meta.url));

/** Compiles this checkout into a new folder, as it is packed for users. @returns the command line's module */
export function compilePackage(folder: string): string {
  mkdirSync(folder);
  copyFileSync(join(CHECKOUT, "package.json"), join(folder, "package.json"));
  symlinkSync(join(CHECKOUT, "node_modules"), join(folder, "node_modules"));
  const dist = join(folder, "dist");
  const tsc = join(CHECKOUT, "node_modules", ".bin", "tsc");
  execFileSync(tsc, ["-p", "tsconfig.build.json", "--outDir", dist], {
    cwd: CHECKOUT,
    stdio: ["ignore", 2, 2],
  });
  return join(dist, "src", "cli.js");
}
