import type { Timer } from "@tributary/core";
import type { AuditLog, Releases, RoomContext } from "../rooms.ts";
import { signedHeads } from "../releases/signed-heads.ts";
import { registerAuditRoutes, type SignedAudit } from "./audit-routes.ts";

/** How often it is looked whether there are records whose head is not signed yet; other processes write some too. */
export const AUDIT_CHECK_MS = 5_000;

export type AuditLogContext = Pick<RoomContext, "env" | "store"> & {
  readonly releases: Pick<Releases, "signLogHeads">;
};

/** The audit log as operators see it. Its head is signed with whatever is released, and else within some seconds. */
export function createAuditLog(context: AuditLogContext): AuditLog {
  const { env, store, releases } = context;
  const { clock, log } = env;
  let timer: Timer;
  let signing: Promise<unknown> = Promise.resolve();
  let closed = false;

  const signed = async (): Promise<SignedAudit | undefined> => {
    const timestamp = await store.releases.latest("timestamp");
    const { audit } = await signedHeads(timestamp);
    return timestamp && audit && { ...audit, timestampVersion: timestamp.version };
  };

  const sign = async (): Promise<void> => {
    const [{ size }, before] = [await store.audit.head(), await signed()];
    if (size !== before?.size) await releases.signLogHeads();
  };

  const watch = (): void => {
    timer = clock.schedule(AUDIT_CHECK_MS, () => {
      signing = sign()
        .catch((error: unknown) => {
          if (!closed) log.error("the head of the audit log could not be signed", { error });
        })
        .finally(() => {
          if (!closed) watch();
        });
    });
  };
  watch();

  return {
    register: (app) => registerAuditRoutes(app, { audit: store.audit, signed }),
    async close() {
      closed = true;
      timer.cancel();
      await signing;
    },
  };
}
