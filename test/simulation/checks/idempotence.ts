import type { Site } from "../world/site.ts";
import { sourcesOf } from "./check.ts";
import type { Check, Scene } from "./check.ts";
import { Violation } from "./violation.ts";

const NAME = "4 Idempotence";

/** What makes a replica unlike what its log says, be it its own or that of a node before it: a crash alone must not. */
const EXCUSES = [
  "flip",
  "disk error",
  "disk full",
  "failing sync",
  "foreign write",
  "files deleted",
  "folder deleted",
  "restore",
  "stale primary",
];

/**
 * After a crash what was under way is applied again, and ends where it would have ended: no replica has to compare pages, or
 * finds itself damaged, because a process or a machine died.
 */
export class IdempotenceCheck implements Check {
  private readonly scene: Scene;
  private readonly wasResyncing = new Set<Site>();

  constructor(scene: Scene) {
    this.scene = scene;
  }

  died(site: Site, how: "kill" | "power loss"): void {
    const { settings } = this.scene;
    const durability =
      site.role === "primary"
        ? settings.primary.durability
        : settings.replicas.find(({ name }) => name === site.name)?.durability;
    // Nobody has asked for more than that the log is in the page cache: what depends on it may be gone.
    if (how === "power loss" && durability === "os") this.forgiveAll();
    if (site.role === "replica" && site.position?.phase !== "following") this.wasResyncing.add(site);
  }

  noticed(site: Site, name: string, fields: Readonly<Record<string, unknown>>): void {
    if (name === "resync_done" || name === "bootstrap_done") this.wasResyncing.delete(site);
    if (site.role !== "replica" || !["diverged", "damaged", "foreign_write"].includes(name)) return;
    const isExcused = sourcesOf(this.scene, site).some(({ faults }) =>
      EXCUSES.some((kind) => faults.has(kind)),
    );
    if (this.wasResyncing.has(site) || isExcused) return;
    throw new Violation(NAME, `${site.name} says ${name}: ${String(fields["message"] ?? fields["text"])}`);
  }

  private forgiveAll(): void {
    for (const site of this.scene.replicas) this.wasResyncing.add(site);
  }
}
