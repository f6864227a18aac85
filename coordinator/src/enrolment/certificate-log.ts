import { failure, type Timer } from "@tributary/core";
import { logHeadOf } from "@tributary/protocol";
import { parseMetadata } from "@tributary/tuf";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { CertificateLog, Releases, RoomContext } from "../rooms.ts";
import { registerCertificateLogRoutes, type SignedHead } from "./certificate-log-routes.ts";
import { leafHashOf, membershipProof, notLogged } from "./certificate-tree.ts";

/** Heads are signed at most so often on account of new entries; a cohort that needs one does not wait. */
export const HEAD_INTERVAL_MS = 1_000;

export type CertificateLogContext = Pick<RoomContext, "env" | "store"> & {
  readonly releases: Pick<Releases, "signLogHeads">;
};

/** The head in the newest signed timestamp; undefined: none has one. */
export async function signedLogHead({
  releases,
}: Pick<MetadataStore, "releases">): Promise<SignedHead | undefined> {
  const timestamp = await releases.latest("timestamp");
  const head = timestamp && logHeadOf((await parseMetadata("timestamp", timestamp.bytes)).signed.custom);
  return timestamp === undefined || head === undefined
    ? undefined
    : { ...head, timestampVersion: timestamp.version };
}

/** The log as devices and auditors see it: its signed head, and what proves that a certificate stands under it. */
export function createCertificateLog(context: CertificateLogContext): CertificateLog {
  const { env, store, releases } = context;
  const { clock, log } = env;
  let timer: Timer | undefined;
  let signedAtMs = -Infinity;
  let signing: Promise<unknown> = Promise.resolve();
  let closed = false;

  const sign = async (): Promise<void> => {
    timer = undefined;
    signedAtMs = clock.monotonicMs();
    await releases.signLogHeads();
  };

  const signed = async (): Promise<SignedHead> => {
    const head = await signedLogHead(store);
    if (head !== undefined) return head;
    throw failure("identity/log-unsigned", "coordinator: no signed timestamp has the certificate log's head");
  };

  return {
    register: (app) =>
      registerCertificateLogRoutes(app, {
        log: store.certificateLog,
        signed,
      }),
    grew() {
      if (timer !== undefined || closed) return;
      const waitMs = Math.max(0, signedAtMs + HEAD_INTERVAL_MS - clock.monotonicMs());
      timer = clock.schedule(waitMs, () => {
        signing = sign().catch((error: unknown) => {
          if (!closed) log.error("the head of the certificate log could not be signed", { error });
        });
      });
    },
    async requireLogged(certificate) {
      const leaf = leafHashOf(certificate);
      if ((await store.certificateLog.indicesOf([leaf])).size > 0) return;
      throw notLogged(leaf, await store.certificateLog.size());
    },
    async prove(certificates) {
      return membershipProof(store.certificateLog, certificates, await releases.signLogHeads());
    },
    async close() {
      closed = true;
      timer?.cancel();
      await signing;
    },
  };
}
