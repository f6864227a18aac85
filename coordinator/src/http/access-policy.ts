import type { ResolvedConfig } from "../config.ts";
import { hostCheck } from "./host-name.ts";

/** Headers of a request or of a WebSocket upgrade that the policy looks at. */
export interface AccessHeaders {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly "sec-fetch-site"?: string | string[] | undefined;
}

/** Who may talk to this coordinator from a web page. Requests without these headers come from programs. */
export interface AccessPolicy {
  /**
   * Whether a `Host` header names this coordinator. A page of another site whose name was pointed to this address
   * (DNS rebinding) fails here, on loopback too.
   */
  hostAllowed(host: string | undefined): boolean;
  /** Whether the origin is the coordinator's own, as the dashboard's requests are. */
  sameOrigin(headers: AccessHeaders): boolean;
  /** Whether pages of this origin may be devices: of the population, or (without one) of any. */
  originAllowed(origin: string, population?: string): boolean;
  /**
   * Whether a device's request or WebSocket upgrade is acceptable by its `Origin`: none (a program), the coordinator's own,
   * or an allowed one.
   */
  deviceAllowed(headers: AccessHeaders, population?: string): boolean;
  /** Whether a request that changes something as operator comes from a program or the dashboard itself. */
  operatorAllowed(headers: AccessHeaders): boolean;
}

export function createAccessPolicy(config: ResolvedConfig): AccessPolicy {
  const publicHost = config.publicUrl === undefined ? [] : [new URL(config.publicUrl).host];

  const policy: AccessPolicy = {
    hostAllowed: hostCheck(config.host, [...config.allowHosts, ...publicHost]),
    sameOrigin({ host, origin }) {
      if (origin === undefined || host === undefined || !URL.canParse(origin)) return false;
      if (origin === config.publicUrl) return true;
      const url = new URL(origin);
      return (url.protocol === "http:" || url.protocol === "https:") && url.host === host.toLowerCase();
    },
    originAllowed(origin, population) {
      const lists =
        population === undefined
          ? [...config.allowOrigins.values()]
          : [config.allowOrigins.get(population) ?? []];
      return lists.some((list) => list.includes(origin) || list.includes("*"));
    },
    deviceAllowed(headers, population) {
      if (headers.origin === undefined) return !fromOtherSite(headers);
      return policy.sameOrigin(headers) || policy.originAllowed(headers.origin, population);
    },
    operatorAllowed(headers) {
      if (fromOtherSite(headers)) return false;
      return headers.origin === undefined || policy.sameOrigin(headers);
    },
  };
  return policy;
}

/** What browsers say of themselves: the request was not caused by this origin's own page, or by the user. */
function fromOtherSite(headers: AccessHeaders): boolean {
  const site = headers["sec-fetch-site"];
  return site !== undefined && site !== "same-origin" && site !== "none";
}
