import { join } from "node:path";
import { openPrimary } from "../../src/primary.ts";
import { openReplica } from "../../src/replica.ts";
import { temporaryFolder } from "./folder.ts";

/** What a primary and its replica tell Prometheus, after a few commits. */
export interface ScrapedPair {
  readonly primary: string;
  readonly replica: string;
  /** Transactions that came after the replica was there. */
  readonly commits: number;
}

/** Two real nodes in this process, scraped at a moment when the replica has everything. */
export async function scrapePair(commits: number): Promise<ScrapedPair> {
  const folder = temporaryFolder();
  await using primary = await openPrimary({ file: join(folder, "app.db"), listen: { port: 0 } });
  primary.database.exec("CREATE TABLE steps (id INTEGER PRIMARY KEY, text)");
  await primary.durable();
  await using replica = await openReplica({
    primary: primary.address!,
    file: join(folder, "edge.db"),
    id: "edge-1",
    listen: { port: 0 },
  });
  await replica.sync();
  for (let step = 0; step < commits; step++) {
    primary.database.exec(`INSERT INTO steps (text) VALUES ('step ${step}')`);
    // One by one, so that none is merged with another.
    await replica.waitFor((await primary.durable()).txid);
  }
  return {
    primary: await scrape(primary.address!),
    replica: await scrape(replica.address!),
    commits,
  };
}

async function scrape(address: string): Promise<string> {
  const response = await fetch(`${address}/metrics`);
  return await response.text();
}
