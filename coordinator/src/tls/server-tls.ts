import { join } from "node:path";
import type { Server as TlsServer } from "node:https";
import type { Env } from "@tributary/core";
import type { ResolvedConfig } from "../config.ts";
import { hostName, listensEverywhere } from "../http/host-name.ts";
import { readCertificateFiles, watchCertificateFiles, type KeyPair } from "./certificate-files.ts";
import { fingerprintOf, openSelfSigned } from "./self-signed.ts";

export interface FollowedFiles {
  /** Reads them now. */
  reload(): Promise<void>;
  close(): void;
}

/** How the server speaks TLS by itself. */
export interface ServerTls {
  readonly pair: KeyPair;
  /** SHA-256 of the certificate at the start: what is compared where nobody vouches for it. */
  readonly fingerprint: string;
  readonly selfSigned: boolean;
  /** Goes on with the certificate that is in the files from then on, for connections that begin later. */
  follow(server: TlsServer, env: Pick<Env, "clock" | "log">): FollowedFiles;
}

/** @throws `coordinator/tls-unusable`, `coordinator/key-insecure` */
export async function openServerTls(
  config: Pick<ResolvedConfig, "allowHosts" | "dataDir" | "host" | "publicUrl" | "tls">,
  env: Pick<Env, "clock" | "random">,
): Promise<ServerTls | undefined> {
  const { tls } = config;
  if (tls === undefined) return undefined;
  if (tls === "self-signed") {
    const folder = join(config.dataDir, "tls");
    const pair = await openSelfSigned({ folder, names: namesOf(config), ...env });
    const unchanging = { reload: () => Promise.resolve(), close() {} };
    return { pair, fingerprint: fingerprintOf(pair.cert), selfSigned: true, follow: () => unchanging };
  }
  const pair = await readCertificateFiles(tls);
  return {
    pair,
    fingerprint: fingerprintOf(pair.cert),
    selfSigned: false,
    follow: (server, own) =>
      watchCertificateFiles({
        env: own,
        files: tls,
        onChange: (next) => server.setSecureContext({ ...next, ...TLS_OPTIONS }),
      }),
  };
}

/** No version that browsers have given up. */
export const TLS_OPTIONS = { minVersion: "TLSv1.2" } as const;

/** What the coordinator is called besides. */
function namesOf({
  allowHosts,
  host,
  publicUrl,
}: Pick<ResolvedConfig, "allowHosts" | "host" | "publicUrl">): string[] {
  const hosts = [...allowHosts, ...(publicUrl === undefined ? [] : [new URL(publicUrl).host])];
  return [
    ...hosts.map((each) => hostName(each)!.replaceAll(/^\[|\]$/g, "")),
    ...(listensEverywhere(host) ? [] : [host]),
  ];
}
