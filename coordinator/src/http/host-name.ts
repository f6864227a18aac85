import { isIP } from "node:net";

const LOOPBACK_NAMES = ["127.0.0.1", "localhost", "[::1]"];
const ALL_INTERFACES = ["0.0.0.0", "::"];

/** Whether an address to listen on stands for every address of the machine. */
export function listensEverywhere(address: string): boolean {
  return ALL_INTERFACES.includes(address);
}

/** An address as it stands in URLs and in `Host`: IPv6 in brackets. */
export function urlHost(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

/** The name in a `Host` header, lower case, without its port; undefined where there is none. */
export function hostName(header: string | undefined): string | undefined {
  return header?.toLowerCase().replace(/:\d+$/, "");
}

/**
 * Tells whether a `Host` header names a server that listens on `address`. A page of another site whose name was pointed
 * here (DNS rebinding) has that name in `Host` and fails, on loopback too. A server on all interfaces answers to any
 * address, since rebinding needs a name.
 *
 * @param more names, or names with a port, to answer to besides
 */
export function hostCheck(address: string, more: readonly string[] = []): (header?: string) => boolean {
  const everywhere = listensEverywhere(address);
  const known = new Set([...LOOPBACK_NAMES, ...(everywhere ? [] : [urlHost(address)]), ...more]);
  return (header) => {
    const name = hostName(header);
    if (name === undefined) return false;
    if (known.has(name) || known.has(header!.toLowerCase())) return true;
    return everywhere && isIP(name.replace(/^\[|\]$/g, "")) > 0;
  };
}
