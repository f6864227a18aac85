import type { ResolvedConfig } from "./config.ts";
import { isLoopback } from "./gateway/admission.ts";
import type { ServerTls } from "./tls/server-tls.ts";

/** What follows from a configuration that may not be wanted, a sentence each, for whoever starts the coordinator. */
export function noticesOf(
  config: Pick<ResolvedConfig, "host" | "oidc" | "openEnrolment" | "publicUrl" | "tls">,
  tls: Pick<ServerTls, "fingerprint" | "selfSigned"> | undefined,
): string[] {
  const reach = insecureReach(config);
  const open = config.openEnrolment.join(", ");
  return [
    ...(reach === undefined ? [] : [reach]),
    ...(tls?.selfSigned === true
      ? [`nobody vouches for the certificate: compare its SHA-256 fingerprint, ${tls.fingerprint}`]
      : []),
    ...(config.oidc === undefined || config.publicUrl !== undefined || isLocal(config.host)
      ? []
      : [
          `${config.oidc.name} does not know by which address to send operators back: name it with --public-url, and register it there`,
        ]),
    ...(open === ""
      ? []
      : [
          `anybody may enrol devices in ${open}: one person can be many of them, so that their rounds hide nobody; for trials`,
        ]),
  ];
}

/**
 * What will not work where devices and operators reach the coordinator without TLS; undefined where they need not, or a proxy has it.
 */
function insecureReach({
  host,
  publicUrl,
  tls,
}: Pick<ResolvedConfig, "host" | "publicUrl" | "tls">): string | undefined {
  if (tls !== undefined || publicUrl?.startsWith("https:") === true) return undefined;
  if (isLocal(host)) return undefined;
  return (
    `${host} is reached without TLS: pages from there are no secure context, so browsers give them no keys (no device enrols), ` +
    "no WebGPU, and no workers with threads; tokens and sign-ins can be read on the way. " +
    "Give it a certificate (--tls-cert and --tls-key), try it with --tls self-signed, or put a proxy before it (--trusted-proxy and --public-url)"
  );
}

function isLocal(host: string): boolean {
  return host === "localhost" || isLoopback(host);
}
