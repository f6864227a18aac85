import { TributaryError } from "@tributary/core";
import { createAuditCheck, type AuditCheck, type KnownAuditHead } from "@tributary/protocol";
import { signedHeads } from "../../releases/signed-heads.ts";
import type { AlertSignals, Finding, Watch } from "../finding.ts";

/** Records that are followed at a look, so that a long log does not hold up rounds. */
const AT_ONCE = 500;
const DAY_MS = 86_400_000;

/** Reads the audit log from its begin, some records at a time, and again every day: also what was written long ago may be edited. */
export function createAuditWatch(): Watch {
  let check: AuditCheck | undefined;
  let begunAt = 0;
  let found: readonly Finding[] = [];

  return async ({ store }, _, { now }) => {
    if (check === undefined || (check.head.size > 0 && now - begunAt >= DAY_MS)) {
      check = createAuditCheck(await signed(store));
      begunAt = now;
    }
    const { size } = await store.audit.head();
    if (size < check.head.size)
      check = createAuditCheck([
        ...(await signed(store)),
        { head: check.head, from: "what was read of it before" },
      ]);
    try {
      const records = await store.audit.read(check.head.size, AT_ONCE);
      for (const record of records) check.add(record);
      if (records.length < AT_ONCE) {
        // All was read: it ends where it was signed to end, or later.
        check.end();
        found = [];
      }
    } catch (error) {
      if (!TributaryError.is(error) || !error.code.startsWith("audit/")) throw error;
      found = [
        {
          subject: { code: error.code },
          value: typeof error.detail["index"] === "number" ? error.detail["index"] : null,
          summary: error.message.replace(/^audit: /, "The audit log is broken: ").slice(0, 512),
          advice:
            "tributary audit verify finds the place; keep the data directory as it is, and compare it with a backup or an export.",
        },
      ];
      // The next look reads it from its begin again.
      check = undefined;
    }
    return found;
  };
}

async function signed({ releases }: Pick<AlertSignals["store"], "releases">): Promise<KnownAuditHead[]> {
  const { audit } = await signedHeads(await releases.latest("timestamp"));
  return audit === undefined ? [] : [{ head: audit, from: "the signed timestamp" }];
}
