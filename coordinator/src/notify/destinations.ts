import { lookup as lookupName } from "node:dns/promises";
import { isIP } from "node:net";
import { failure } from "@tributary/core";
import ipaddr from "ipaddr.js";

/** An address that a notification may go to. */
export interface Destination {
  readonly address: string;
  readonly family: 4 | 6;
  readonly isPrivate: boolean;
}

export interface DestinationRules {
  /** Names of hosts, with or without a port; `*.example.org` is each name below it; `*` is any. */
  readonly allowHosts: readonly string[];
  /** Whether loopback and addresses of private networks are. */
  readonly allowPrivate: boolean;
}

export type Resolve = (
  host: string,
) => Promise<readonly { readonly address: string; readonly family: number }[]>;

const resolveAll: Resolve = (host) => lookupName(host, { all: true, verbatim: true });

/**
 * Where a notification goes, once and for all of its connection: the name is looked up here, each of its addresses has to be allowed, and
 * the connection goes to the one that was looked at. So a name cannot lead elsewhere in between.
 *
 * @throws `notify/host-refused`, `notify/address-refused`, `notify/unknown-host`
 */
export async function destinationOf(
  host: string,
  port: number,
  { allowHosts, allowPrivate }: DestinationRules,
  resolve: Resolve = resolveAll,
): Promise<Destination> {
  const name = host.replace(/^\[|\]$/g, "").toLowerCase();
  if (!allowHosts.some((allowed) => isAllowed(allowed, name, port)))
    throw failure(
      "notify/host-refused",
      `notify: ${name}:${port} is no host that notifications may go to; start the coordinator with --notify-host ${name}`,
      { detail: { host: name, port } },
    );
  const addresses =
    isIP(name) === 0 ? await lookedUp(name, resolve) : [{ address: name, family: isIP(name) }];
  const found = addresses.map(({ address, family }): Destination => {
    const isPrivate = isPrivateAddress(address);
    if (isPrivate && !allowPrivate)
      throw failure(
        "notify/address-refused",
        `notify: ${name} leads to ${address}, which is no public address; start the coordinator with --notify-private where that is meant`,
        { detail: { host: name } },
      );
    return { address, family: family === 6 ? 6 : 4, isPrivate };
  });
  const [first] = found;
  if (first === undefined) throw unknownHost(name);
  return first;
}

async function lookedUp(
  name: string,
  resolve: Resolve,
): Promise<readonly { readonly address: string; readonly family: number }[]> {
  try {
    return await resolve(name);
  } catch (cause) {
    throw unknownHost(name, cause);
  }
}

function unknownHost(host: string, cause?: unknown): Error {
  return failure("notify/unknown-host", `notify: no address of ${host} is known`, {
    detail: { host },
    cause,
  });
}

function isAllowed(allowed: string, name: string, port: number): boolean {
  const [, host = "", ofPort] = /^(.*?)(?::(\d+))?$/.exec(allowed.toLowerCase()) ?? [];
  if (ofPort !== undefined && Number(ofPort) !== port) return false;
  if (host === "*") return true;
  return host.startsWith("*.")
    ? name.endsWith(host.slice(1)) && name.length > host.length - 1
    : name === host;
}

/** Loopback, private, link-local, reserved and such: all but what the public internet routes. */
export function isPrivateAddress(address: string): boolean {
  // An IPv4 address in an IPv6 one is judged as itself; a zone names an interface of this machine.
  return !ipaddr.isValid(address) || ipaddr.process(address).range() !== "unicast";
}
