import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import proxyAddr from "@fastify/proxy-addr";

/** Whether a peer's word about whom it speaks for is believed. */
export type TrustProxy = (address: string, hop: number) => boolean;

/** Who is at the other end of a request, or of an upgrade, behind the proxies that are trusted. */
export interface Peers {
  readonly trusts: TrustProxy;
  /** The address of the client: what trusted proxies say in `X-Forwarded-For`, else the socket's. */
  readonly addressOf: (request: IncomingMessage) => string;
  /** Whether the client's connection has TLS: the server's own, or by `X-Forwarded-Proto` of a trusted proxy. */
  readonly isSecure: (request: IncomingMessage) => boolean;
}

/** @param trustedProxies - addresses and blocks of them (CIDR); headers of anyone else say nothing */
export function createPeers(trustedProxies: readonly string[]): Peers {
  const trusts: TrustProxy =
    trustedProxies.length === 0 ? () => false : proxyAddr.compile([...trustedProxies]);
  return {
    trusts,
    addressOf(request) {
      const socket = request.socket.remoteAddress ?? "";
      const address = proxyAddr(request, trusts);
      // A proxy passes on what it was sent: what is no address is nobody's.
      return isIP(address) > 0 ? address : socket;
    },
    isSecure(request) {
      if ((request.socket as { encrypted?: boolean }).encrypted === true) return true;
      if (!trusts(request.socket.remoteAddress ?? "", 0)) return false;
      // The last one is of the nearest proxy, which is the one that is trusted.
      const said = String(request.headers["x-forwarded-proto"] ?? "").split(",");
      return said.at(-1)!.trim().toLowerCase() === "https";
    },
  };
}
