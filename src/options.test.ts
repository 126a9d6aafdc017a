import { describe, expect, test } from "vitest";
import { z } from "zod";
import { TailraceError } from "../shared/errors.ts";
import {
  PRIMARY_LIMIT_KEYS,
  REPLICA_LIMIT_KEYS,
  limitOptions,
  limitsForEngine,
} from "./configuration/node-limits.ts";
import { changedLimits, readOptions } from "./options.ts";

const MIB = 2 ** 20;
const primary = readOptions(z.strictObject(limitOptions(PRIMARY_LIMIT_KEYS, "primary")), {});
const replica = readOptions(z.strictObject(limitOptions(REPLICA_LIMIT_KEYS, "replica")), {});

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof TailraceError) return `${error.code}: ${error.message} (${error.hint})`;
  }
  throw new Error("not refused");
}

describe("limits of an open node", () => {
  test("begin with those of the contract", () => {
    expect(primary).toEqual({
      keepLogBytes: 1024 * MIB,
      keepLogMs: 0,
      maxLogBytes: 10_240 * MIB,
      holdInactiveMs: 86_400_000,
      snapshotAfterBytes: 256 * MIB,
      snapshotMaxAgeMs: 86_400_000,
      keepSnapshots: 2,
      walSoftLimitBytes: MIB,
    });
    expect(replica).toEqual({
      keepLogBytes: 64 * MIB,
      maxLogBytes: 1024 * MIB,
      holdInactiveMs: 86_400_000,
      keepSnapshots: 2,
    });
  });

  test("change one by one; what is left out stays", () => {
    const once = changedLimits(PRIMARY_LIMIT_KEYS, primary, { keepLogBytes: 5 * MIB });
    const twice = changedLimits(PRIMARY_LIMIT_KEYS, once, { maxLogBytes: 0, keepLogMs: undefined });
    expect(twice).toEqual({ ...primary, keepLogBytes: 5 * MIB, maxLogBytes: 0 });
    expect(limitsForEngine(PRIMARY_LIMIT_KEYS, twice).maxLogBytes).toBeNull();
  });

  test("are numbers: text is for the command line", () => {
    expect(refusal(() => changedLimits(REPLICA_LIMIT_KEYS, replica, { keepLogBytes: "1GiB" }))).toMatch(
      /^invalid_request: option keepLogBytes is "1GiB": not a number/,
    );
  });

  test("that there are not, or that need a new start, are refused by name", () => {
    expect(refusal(() => changedLimits(REPLICA_LIMIT_KEYS, replica, { keepLogMs: 1 }))).toMatch(
      /option keepLogMs is 1: .* \(Options: keepLogBytes, maxLogBytes, holdInactiveMs, keepSnapshots\.\)$/,
    );
    const inForce = { ...primary, segmentSizeBytes: 64 * MIB };
    expect(refusal(() => changedLimits(PRIMARY_LIMIT_KEYS, inForce, { segmentSizeBytes: MIB }))).toMatch(
      /option segmentSizeBytes is 1048576/,
    );
  });

  test("that do not go together are refused with both values", () => {
    expect(refusal(() => changedLimits(REPLICA_LIMIT_KEYS, replica, { maxLogBytes: 2 * MIB }))).toBe(
      "invalid_request: option maxLogBytes is 2097152: less than keepLogBytes, which is 67108864 " +
        "(Raise maxLogBytes (0: no limit), or lower keepLogBytes to 2MiB or less.)",
    );
    const inForce = { ...primary, segmentSizeBytes: 64 * MIB };
    const changes = { maxLogBytes: 100 * MIB, keepLogBytes: 0 };
    expect(refusal(() => changedLimits(PRIMARY_LIMIT_KEYS, inForce, changes))).toContain(
      "option maxLogBytes is 104857600: less than twice segmentSizeBytes, which is 67108864",
    );
  });
});
