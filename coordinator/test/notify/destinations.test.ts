import fc from "fast-check";
import { expect, test } from "vitest";
import { destinationOf, isPrivateAddress } from "../../src/notify/destinations.ts";
import { codeOf } from "../../src/testing/index.ts";

const resolves =
  (...addresses: string[]) =>
  () =>
    Promise.resolve(addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })));
const open = { allowHosts: ["*"], allowPrivate: false };

test("only hosts that are allowed, by name, by what is below a name, and by port", async () => {
  const to = (host: string, port: number, ...allowHosts: string[]) =>
    codeOf(destinationOf(host, port, { allowHosts, allowPrivate: false }, resolves("93.184.216.34")));
  expect(await to("hooks.example.org", 443)).toBe("notify/host-refused");
  expect(await to("hooks.example.org", 443, "example.org")).toBe("notify/host-refused");
  expect(await to("badexample.org", 443, "*.example.org")).toBe("notify/host-refused");
  expect(await to("example.org", 443, "*.example.org")).toBe("notify/host-refused");
  expect(await to("hooks.example.org", 25, "hooks.example.org:443")).toBe("notify/host-refused");
  const destination = { address: "93.184.216.34", family: 4, isPrivate: false };
  for (const allowed of ["HOOKS.example.org", "*.example.org", "hooks.example.org:443", "*"])
    expect(
      await destinationOf(
        "hooks.example.org",
        443,
        { allowHosts: [allowed], allowPrivate: false },
        resolves("93.184.216.34"),
      ),
    ).toEqual(destination);
});

test("a name none of whose addresses may be private, however it is written", async () => {
  const privates = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fd00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "not an address",
  ];
  for (const address of privates) expect(isPrivateAddress(address), address).toBe(true);
  for (const address of ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
    expect(isPrivateAddress(address), address).toBe(false);
  const both = resolves("93.184.216.34", "10.0.0.1");
  expect(await codeOf(destinationOf("a.example", 443, open, both))).toBe("notify/address-refused");
  expect(await codeOf(destinationOf("127.0.0.1", 443, open))).toBe("notify/address-refused");
  expect(await codeOf(destinationOf("[::1]", 443, open))).toBe("notify/address-refused");
  expect(
    await destinationOf("a.example", 443, { ...open, allowPrivate: true }, resolves("10.0.0.1")),
  ).toEqual({
    address: "10.0.0.1",
    family: 4,
    isPrivate: true,
  });
  expect(await codeOf(destinationOf("a.example", 443, open, resolves()))).toBe("notify/unknown-host");
  expect(await codeOf(destinationOf("a.example", 443, open, () => Promise.reject(new Error("no"))))).toBe(
    "notify/unknown-host",
  );
});

test("an IPv4 address is judged the same inside an IPv6 one", () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      expect(isPrivateAddress(`::ffff:${address}`)).toBe(isPrivateAddress(address));
    }),
  );
});
