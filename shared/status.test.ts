import { expect, test } from "vitest";
import { primaryStatus, replicaStatus } from "../test/harness/status-documents.ts";
import { statusSchema } from "./status.ts";

test.each([
  ["a primary", primaryStatus()],
  ["a replica", replicaStatus()],
])("the document of %s passes its schema, and nothing of it is lost", (_role, document) => {
  expect(statusSchema.parse(document)).toEqual(document);
});

test.each([
  ["a lag that is text", { replicas: [{ ...firstReplica(), lagBytes: "4 kB" }] }],
  ["a state that nobody knows", { replicas: [{ ...firstReplica(), state: "dreaming" }] }],
  ["a log without its limits", { log: { logId: "49ac4270a921a73513540fc8962d8566" } }],
])("a document with %s does not pass", (_name, change) => {
  expect(statusSchema.safeParse(primaryStatus(change)).success).toBe(false);
});

function firstReplica(): object {
  return (primaryStatus() as { replicas: object[] }).replicas[0]!;
}
