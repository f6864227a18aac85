import { describe, expect, test } from "vitest";
import { hostCheck, hostName, urlHost } from "../../src/http/host-name.ts";

describe("a server on all interfaces", () => {
  const allowed = hostCheck("0.0.0.0");

  test.each(["192.168.1.20:7700", "10.0.0.1", "[fe80::1]:7700", "[2001:db8::2]", "localhost:7700"])(
    "answers to the address %s",
    (host) => expect(allowed(host)).toBe(true),
  );

  test.each(["rebound.example:7700", "10.0.0.1.example", "1.2.3", "", "[::1", "fl.example"])(
    "does not answer to the name %j, which anybody may point here",
    (host) => expect(allowed(host)).toBe(false),
  );
});

test("a server on one address answers to it, to loopback and to the names it was given, and to no other address", () => {
  const allowed = hostCheck("192.168.1.20", ["fl.example", "fl2.example:8443"]);
  for (const host of ["192.168.1.20:7700", "127.0.0.1", "FL.example:1", "fl2.example:8443"]) {
    expect([host, allowed(host)]).toEqual([host, true]);
  }
  for (const host of ["192.168.1.21:7700", "fl2.example", undefined]) {
    expect([host, allowed(host)]).toEqual([host, false]);
  }
});

test("names of addresses in URLs and headers", () => {
  expect(urlHost("::1")).toBe("[::1]");
  expect(urlHost("10.0.0.1")).toBe("10.0.0.1");
  expect(hostName("[::1]:7701")).toBe("[::1]");
  expect(hostName("Example:80")).toBe("example");
});
