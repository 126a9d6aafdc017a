/** A replica has moved on to the segment given: FOLDER SEGMENT. What it has left behind is dropped; for crash tests. */
import { KEPT_NOW_MS, openKeptLog } from "../harness/kept-log.ts";

const [folder = "", segment = "1"] = process.argv.slice(2);
const { retention } = openKeptLog(folder);
const received = { segment: Number(segment), offset: 80 };
const sighting = { id: "edge-1", address: null, received, sent: null, appliedTxid: null, isAsking: false };
retention.report([{ ...sighting, lastSeenMs: KEPT_NOW_MS }]);
retention.upkeep();
