import { encodeHex, encodeUtf8, sha256, type Env } from "@tributary/core";
import { ISSUER_TARGET, parseIssuerDocument, type IssuerDocument } from "@tributary/protocol";
import { OPERATOR_BY_PROCESS } from "../audit/actors.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { Releases } from "../rooms.ts";
import { documentTarget } from "./model-targets.ts";

export interface IssuerTargetOptions {
  readonly store: Pick<MetadataStore, "releases" | "transaction">;
  readonly blobs: Pick<BlobStore, "put" | "bytes">;
  readonly env: Pick<Env, "clock" | "log">;
  readonly releases: Pick<Releases, "release">;
  /** Raw Ed25519 public key, 32 bytes. */
  readonly issuerPublicKey: Uint8Array;
  /** For people. */
  readonly name: string;
}

/** Signs who vouches for devices into the release, unless it says so already. */
export async function publishIssuer(options: IssuerTargetOptions): Promise<void> {
  const { store, blobs, env, releases, issuerPublicKey, name } = options;
  const document: IssuerDocument = { formatVersion: 1, publicKey: encodeHex(issuerPublicKey), name };
  const bytes = encodeUtf8(JSON.stringify(document));
  const before = (await store.releases.targets()).find(({ path }) => path === ISSUER_TARGET);
  if (before?.digest === sha256(bytes)) return;
  await blobs.put(bytes);
  await releases.release({ put: [documentTarget("targets", ISSUER_TARGET, bytes)] }, (change) =>
    store.transaction(async (tx) => {
      await tx.releases.apply(change);
      const detail = { publicKey: document.publicKey, name };
      await tx.audit.append(
        [{ actor: OPERATOR_BY_PROCESS, action: "issuer.set", object: {}, detail }],
        env.clock.now(),
      );
    }),
  );
  if (before === undefined) return;
  const { publicKey } = parseIssuerDocument(await blobs.bytes(before.digest));
  if (publicKey === document.publicKey) return;
  env.log.warn("devices are vouched for by another issuer now: they have to enrol again", {
    before: publicKey,
    now: document.publicKey,
  });
}
