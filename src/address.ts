import { BlockList, isIP } from "node:net";
import { TailraceError } from "../shared/errors.ts";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether only this machine can reach a listener on that address. Of names, `localhost` alone is taken to be so. */
export function isLoopback(host: string): boolean {
  const version = isIP(host);
  return version === 0 ? host === "localhost" : loopback.check(host, version === 4 ? "ipv4" : "ipv6");
}

/** @throws invalid_configuration for an address that others can reach, unless that is said to be wanted */
export function assertSafeAddress(host: string, isInsecureAllowed: boolean): void {
  if (isInsecureAllowed || isLoopback(host)) return;
  throw new TailraceError(
    "invalid_configuration",
    `host is ${JSON.stringify(host)}: whoever reaches that address could read the whole database`,
    { hint: "Listen on 127.0.0.1, or say --insecure (insecure: true) where the network itself is trusted." },
  );
}
