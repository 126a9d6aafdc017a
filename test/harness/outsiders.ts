import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { delimiter, dirname, isAbsolute, join, resolve } from "node:path";

/** Programs that Tailrace's tests prove it against, and that are not on every machine. */
const OUTSIDERS = ["python3", "sqlite3", "cmp", "prlimit", "promtool", "systemd-analyze"] as const;

/**
 * Test files that cannot run here because an outside program is missing, each with what it lacks. A file needs a program
 * when it, or a module of the project that it imports, names it.
 */
export function testsThatLackOutsiders(
  pattern: string,
  isHere: (program: string) => boolean = isInstalled,
): Map<string, string[]> {
  const missing = OUTSIDERS.filter((program) => !isHere(program));
  const lacking = new Map<string, string[]>();
  if (missing.length === 0) return lacking;
  for (const file of globSync(pattern)) {
    const text = textWithImports(resolve(file));
    const needed = missing.filter((program) => text.includes(`"${program}"`));
    if (needed.length > 0) lacking.set(file, needed);
  }
  return lacking;
}

/**
 * The search path on which python3 is the program itself. What a manager of versions puts in its place is a shell script
 * that looks for the program, for longer than most of ours run, and tests start a few hundred of them.
 */
export function pathToPython(path: string): string {
  const { stdout } = spawnSync("python3", ["-c", "import sys; print(sys.executable)"], { encoding: "utf8" });
  const folder = stdout ? dirname(stdout.trim()) : "";
  const found = path.split(delimiter).find((each) => existsSync(join(each, "python3")));
  return isAbsolute(folder) && folder !== found ? `${folder}${delimiter}${path}` : path;
}

/** Those that are not on this machine. */
export function missingOutsiders(programs: readonly (typeof OUTSIDERS)[number][]): readonly string[] {
  return programs.filter((program) => !isInstalled(program));
}

function isInstalled(program: string): boolean {
  return spawnSync(program, ["--version"], { stdio: "ignore" }).error === undefined;
}

/** The source of a module and of all that it imports by path, one after the other. */
function textWithImports(entry: string): string {
  const seen = new Map<string, string>();
  const waiting = [entry];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    // What looks like an import may be a string in a test of imports.
    if (seen.has(file) || !existsSync(file)) continue;
    const text = readFileSync(file, "utf8");
    seen.set(file, text);
    for (const [, path] of text.matchAll(/from "(\.[^"]+)"/g)) waiting.push(resolve(dirname(file), path!));
  }
  return [...seen.values()].join("\n");
}
