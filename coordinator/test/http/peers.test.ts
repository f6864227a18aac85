import type { IncomingMessage } from "node:http";
import { expect, test } from "vitest";
import { createPeers } from "../../src/http/peers.ts";

function request(
  remoteAddress: string,
  headers: Record<string, string> = {},
  encrypted = false,
): IncomingMessage {
  return { headers, socket: { remoteAddress, encrypted } } as unknown as IncomingMessage;
}

const forwarded = (value: string, proto = "https") => ({
  "x-forwarded-for": value,
  "x-forwarded-proto": proto,
});

test("without proxies nobody is believed about whom they speak for", () => {
  const { addressOf, isSecure } = createPeers([]);
  for (const from of ["203.0.113.9", "127.0.0.1", "::1"]) {
    expect(addressOf(request(from, forwarded("198.51.100.1")))).toBe(from);
    expect(isSecure(request(from, forwarded("198.51.100.1")))).toBe(false);
  }
  expect(isSecure(request("203.0.113.9", {}, true))).toBe(true);
});

test("a proxy that is named is believed, up to the first that is not", () => {
  const { addressOf, isSecure } = createPeers(["10.0.0.0/8", "2001:db8::/32"]);
  expect(addressOf(request("10.1.2.3", forwarded("198.51.100.1")))).toBe("198.51.100.1");
  // A client that puts addresses before its own is known by what the proxy saw.
  expect(addressOf(request("10.1.2.3", forwarded("127.0.0.1, 198.51.100.1, 10.9.9.9")))).toBe("198.51.100.1");
  expect(addressOf(request("2001:db8::1", forwarded("2001:db9::2")))).toBe("2001:db9::2");
  expect(addressOf(request("203.0.113.9", forwarded("198.51.100.1")))).toBe("203.0.113.9");
  expect(isSecure(request("10.1.2.3", forwarded("198.51.100.1")))).toBe(true);
  expect(isSecure(request("10.1.2.3", forwarded("198.51.100.1", "http")))).toBe(false);
  expect(isSecure(request("10.1.2.3", forwarded("198.51.100.1", "https, http")))).toBe(false);
  expect(isSecure(request("203.0.113.9", forwarded("198.51.100.1")))).toBe(false);
});

test.each(["unknown", "_hidden", "198.51.100.1:80", "<script>", "", ",", "1".repeat(5_000)])(
  "what is no address is the proxy's: %j",
  (value) => {
    expect(createPeers(["10.0.0.1"]).addressOf(request("10.0.0.1", forwarded(value)))).toBe("10.0.0.1");
  },
);
