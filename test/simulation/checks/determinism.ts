import type { Change, Site } from "../world/site.ts";
import type { Check, Scene } from "./check.ts";
import { Violation } from "./violation.ts";

const NAME = "5 Determinism";

/**
 * The pages of a replica amount to the checksum that its position names: the state applied, or the one under way. In the end
 * every file is the primary's, byte for byte.
 */
export class DeterminismCheck implements Check {
  private readonly scene: Scene;

  constructor(scene: Scene) {
    this.scene = scene;
  }

  changed(site: Site, { isImage, isPosition }: Change): void {
    if (isImage || isPosition) this.compare(site);
  }

  opened(site: Site): void {
    this.compare(site);
  }

  ended(): void {
    const { primary, replicas, counts } = this.scene;
    primary.image.forget();
    primary.image.refresh();
    for (const site of replicas) {
      site.image.forget();
      if (!site.image.refresh()) throw new Violation(NAME, `${site.name} has no file that can be read`);
      if (!site.image.pages.equals(primary.image.pages))
        throw new Violation(
          NAME,
          `${site.name} differs from the primary: page ${this.firstDifference(site)}`,
        );
      counts.add("files compared byte for byte");
    }
  }

  private compare(site: Site): void {
    const { position, image } = site;
    if (site.role !== "replica" || !site.isReadable || !site.isOpen || site.isForeign || site.isSpoilt)
      return;
    if (position === undefined || position.phase !== "following") return;
    const { applied, intent } = position;
    if ([applied, intent].some(({ checksum }) => checksum === image.checksum)) return;
    throw new Violation(
      NAME,
      `${site.name} is not in the state that its position names (transaction ${applied.txid})`,
    );
  }

  private firstDifference(site: Site): number {
    const { pages } = this.scene.primary.image;
    const { pageSize } = this.scene.settings;
    const at = site.image.pages.findIndex((byte, index) => byte !== pages[index]);
    return at < 0 ? 0 : Math.floor(at / pageSize) + 1;
  }
}
