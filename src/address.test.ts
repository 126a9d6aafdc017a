import { expect, test } from "vitest";
import { assertSafeAddress, isLoopback } from "./address.ts";

test.each(["127.0.0.1", "127.8.9.10", "::1", "localhost", "::ffff:127.0.0.1"])("%s is loopback", (host) => {
  expect(isLoopback(host)).toBe(true);
});

test.each(["0.0.0.0", "::", "192.168.1.2", "10.0.0.1", "fe80::1", "localhost.example.com", "128.0.0.1"])(
  "%s is refused unless --insecure is said",
  (host) => {
    expect(() => assertSafeAddress(host, false)).toThrow(
      expect.objectContaining({ code: "invalid_configuration" }),
    );
    expect(() => assertSafeAddress(host, true)).not.toThrow();
  },
);
