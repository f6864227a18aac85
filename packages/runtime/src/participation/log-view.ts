import { failure } from "@tributary/core";
import { requireLogContinues, verifyMembership, type LogHead } from "@tributary/protocol";
import { readLogHead, writeLogHead } from "../store/log-head.ts";
import type { SettingStore } from "../store/device-store.ts";
import type { PlannedReleases } from "./plans.ts";
import type { FederationHttp } from "../transport/federation-http.ts";

export interface LogViewOptions {
  readonly releases: Pick<PlannedReleases, "logHead" | "refresh">;
  readonly http: Pick<FederationHttp, "logConsistency">;
  readonly settings: Pick<SettingStore, "read" | "write">;
}

/**
 * The certificate log as this device sees it. It keeps the newest head it ever saw signed; every later one has to continue it, else the
 * device takes part in nothing.
 */
export interface LogView {
  /**
   * That the signed head continues what was seen before.
   *
   * @throws `identity/log-unsigned`, `identity/log-forked`, `identity/log-shrunk`, `transport/*`
   */
  requireConsistent(signal?: AbortSignal): Promise<void>;
  /**
   * That all members of a cohort stand in the log, under a head that is signed and continues what was seen before.
   *
   * @throws `identity/not-logged`, or as above
   */
  requireMembers(proof: Uint8Array, certificates: readonly Uint8Array[], signal?: AbortSignal): Promise<void>;
}

/** After these a device stops: the log is not the one it knows. */
export type LogFault = "identity/log-forked" | "identity/log-shrunk";

export function isLogFault(code: string): code is LogFault {
  return code === "identity/log-forked" || code === "identity/log-shrunk";
}

export function createLogView(options: LogViewOptions): LogView {
  const { releases, http, settings } = options;

  /** Heads are compared one at a time: two tasks must not store theirs in the wrong order. */
  let queue: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = queue.then(work);
    queue = turn.catch(() => undefined);
    return turn;
  };

  const requireContinues = async (before: LogHead, after: LogHead, signal?: AbortSignal): Promise<void> => {
    const grew = before.treeSize > 0 && after.treeSize > before.treeSize;
    const path = grew ? await http.logConsistency(before.treeSize, after.treeSize, signal) : [];
    requireLogContinues(before, after, path);
  };

  /** The signed head, once it is known to continue the newest that was seen, which it then is itself. */
  const signedHead = async (signal?: AbortSignal): Promise<LogHead> => {
    const signed = releases.logHead();
    if (signed === undefined) throw unsigned("the verified metadata has none");
    const seen = await readLogHead(settings);
    if (seen !== undefined) {
      await requireContinues(seen, signed, signal);
      if (seen.treeSize === signed.treeSize) return signed;
    }
    await writeLogHead(settings, signed);
    return signed;
  };

  return {
    requireConsistent: (signal) => inTurn(async () => void (await signedHead(signal))),
    requireMembers: (proof, certificates, signal) =>
      inTurn(async () => {
        const shown = verifyMembership(proof, certificates);
        // Devices that enrolled a moment ago are under a head that was signed a moment ago.
        if (shown.treeSize > (releases.logHead()?.treeSize ?? 0)) await releases.refresh(signal);
        const signed = await signedHead(signal);
        if (shown.treeSize > signed.treeSize) {
          throw unsigned(`one of ${shown.treeSize} entries was shown, the signed one has ${signed.treeSize}`);
        }
        await requireContinues(shown, signed, signal);
      }),
  };
}

function unsigned(why: string): Error {
  return failure("identity/log-unsigned", `secure: no signed head of the certificate log: ${why}`);
}
