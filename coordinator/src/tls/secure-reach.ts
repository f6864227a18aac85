import type { ResolvedConfig } from "../config.ts";
import { isLoopback } from "../gateway/admission.ts";

/**
 * What will not work where devices and operators reach the coordinator without TLS; undefined where they need not, or a proxy has it.
 */
export function insecureReach({
  host,
  publicUrl,
  tls,
}: Pick<ResolvedConfig, "host" | "publicUrl" | "tls">): string | undefined {
  if (tls !== undefined || publicUrl?.startsWith("https:") === true) return undefined;
  if (host === "localhost" || isLoopback(host)) return undefined;
  return (
    `${host} is reached without TLS: pages from there are no secure context, so browsers give them no keys (no device enrols), ` +
    "no WebGPU, and no workers with threads; tokens and sign-ins can be read on the way. " +
    "Give it a certificate (--tls-cert and --tls-key), try it with --tls self-signed, or put a proxy before it (--trusted-proxy and --public-url)"
  );
}
