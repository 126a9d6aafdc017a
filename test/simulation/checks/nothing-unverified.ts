import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checksumOf } from "../world/database-image.ts";
import { fileBytes, namesIn } from "../world/read-file.ts";
import type { Site } from "../world/site.ts";
import type { Scene } from "./check.ts";
import { Violation } from "./violation.ts";

const NAME = "11 Nothing unverified";

interface Said {
  readonly txid: number;
  readonly databaseChecksum: string;
  readonly pageCount: number;
  readonly logId: string;
}

/**
 * What is kept for others is what it says to be: each new snapshot is the database at its transaction. And where bytes were
 * spoiled on the way or on disk, that is noticed: a damage that no checksum shows would end in another check.
 */
export class NothingUnverifiedCheck {
  private readonly scene: Scene;
  private readonly seen = new Map<Site, ReadonlySet<string>>();
  /** Without what tells a snapshot's files from one another. */
  private readonly flippedPaths = new Set<string>();

  constructor(scene: Scene) {
    this.scene = scene;
  }

  /** A bit has flipped in a file: of a snapshot that is just being made, nobody can know before it is fetched. */
  flipped(path: string): void {
    this.flippedPaths.add(path.replace(/\.(db|sums|json)(\.tmp)?$/, ""));
  }

  /** Something has changed in the folder of snapshots. */
  snapshots(site: Site): void {
    const folder = join(site.dataDir, "snapshots");
    const names = namesIn(folder).filter((name) => name.endsWith(".json"));
    const before = this.seen.get(site) ?? new Set();
    this.seen.set(site, new Set(names));
    if (site.isReadable && !site.isStale)
      for (const name of names) if (!before.has(name)) this.verify(site, folder, name);
  }

  private verify(site: Site, folder: string, name: string): void {
    if (this.flippedPaths.has(join(folder, name.replace(/\.json$/, "")))) return;
    const said = JSON.parse(readFileSync(join(folder, name), "utf8")) as Said;
    const pages = fileBytes(join(folder, name.replace(/json$/, "db")));
    const { pageSize } = this.scene.settings;
    if (pages === undefined || pages.length !== said.pageCount * pageSize)
      throw new Violation(NAME, `snapshot ${name} of ${site.name} has ${pages?.length ?? 0} bytes`);
    const checksum = checksumOf(pages, pageSize);
    if (checksum !== BigInt(`0x${said.databaseChecksum}`))
      throw new Violation(NAME, `snapshot ${name} of ${site.name} is not what it says`);
    if (this.scene.oracle.find({ checksum, pageCount: said.pageCount }).length === 0)
      throw new Violation(NAME, `snapshot ${name} of ${site.name} is a state that was never committed`);
    const known = this.scene.history.find(said.logId, said.txid);
    if (known !== undefined && known.record.after !== checksum)
      throw new Violation(
        NAME,
        `snapshot ${name} of ${site.name} is not the state of transaction ${said.txid}`,
      );
    this.scene.counts.add("snapshots verified");
  }
}
