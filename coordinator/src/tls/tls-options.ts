import { failure } from "@tributary/core";
import type { CoordinatorConfig } from "../config.ts";

/** What `--tls`, `--tls-cert` and `--tls-key` come to. @throws `coordinator/invalid-config` where they do not fit together */
export function tlsOf(options: {
  readonly tls?: "self-signed" | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
}): Pick<CoordinatorConfig, "tls"> {
  const { tls, tlsCert, tlsKey } = options;
  const misuse = (text: string): Error =>
    failure("coordinator/invalid-config", `coordinator: ${text}`, { detail: { field: "tls" } });
  if (tls !== undefined) {
    if (tlsCert !== undefined || tlsKey !== undefined)
      throw misuse("--tls self-signed makes a certificate: give it none with --tls-cert or --tls-key");
    return { tls };
  }
  if (tlsCert === undefined && tlsKey === undefined) return {};
  if (tlsCert === undefined || tlsKey === undefined)
    throw misuse("--tls-cert and --tls-key: a certificate and its key are given together");
  return { tls: { certFile: tlsCert, keyFile: tlsKey } };
}
