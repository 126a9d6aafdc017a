import type { Content } from "../world/content.ts";
import type { Commit } from "../world/oracle.ts";
import type { Reader } from "../world/reader.ts";
import type { Change, Site } from "../world/site.ts";
import type { Check, Scene } from "./check.ts";
import { Violation } from "./violation.ts";

const NAME = "2 Atomicity";

/**
 * Who reads a replica sees exactly one committed state: by its bytes, and through SQLite by its rows. Also between any two
 * system calls of the process that writes. Who stays in a transaction goes on seeing what it saw.
 */
export class AtomicityCheck implements Check {
  private readonly scene: Scene;

  constructor(scene: Scene) {
    this.scene = scene;
  }

  changed(site: Site, { isImage }: Change): void {
    if (isImage && site.role === "replica" && site.isReadable) this.look(site);
  }

  glanced(site: Site): void {
    if (site.role !== "replica" || !site.isReadable || !site.isOpen) return;
    const before = site.image.mark;
    if (!site.image.refresh()) throw new Violation(NAME, `${site.name} is at no state at all for a moment`);
    if (site.image.mark === before) return;
    this.scene.counts.add("states seen between two system calls");
    this.look(site);
  }

  /** Looks again at what the holder saw when it began. */
  lookAgain(site: Site): void {
    if (!site.holder.isHolding) return;
    const { before, now } = read(site, () => site.holder.lookAgain());
    if (before.digest !== now.digest)
      throw new Violation(
        NAME,
        `an open transaction on ${site.name} saw step ${before.step}, and then ${now.step}`,
      );
  }

  hold(site: Site): void {
    if (!site.isReadable || site.isForeign || site.holder.isHolding) return;
    this.compare(
      site,
      read(site, () => site.holder.hold()),
    );
  }

  private look(site: Site): void {
    const { counts } = this.scene;
    if (site.isForeign) return;
    counts.add("states read");
    this.compare(
      site,
      read(site, () => site.reader.look()),
    );
  }

  private compare(site: Site, seen: Content): void {
    const { oracle } = this.scene;
    const { image } = site;
    const commits = oracle.find(image);
    if (commits.length === 0)
      throw new Violation(
        NAME,
        `the file of ${site.name} is in a state that was never committed (step ${seen.step})`,
      );
    if (!commits.some((commit) => isOf(seen, commit)))
      throw new Violation(
        NAME,
        `a reader of ${site.name} sees step ${seen.step}, which is not what stands there`,
      );
  }
}

/** A reader that fails is a promise broken as well. */
function read<T>(site: Site, how: (reader: Reader) => T): T {
  try {
    return how(site.reader);
  } catch (error) {
    throw new Violation(
      NAME,
      `a reader of ${site.name}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function isOf(seen: Content, commit: Commit): boolean {
  return commit.digest === seen.digest && commit.step === seen.step;
}
