import { existsSync } from "node:fs";
import { join } from "node:path";
import { delay, failure, systemClock } from "@tributary/core";
import type { NewAuditRecord } from "@tributary/protocol";
import { appendAuditRecord } from "../adapters/sql/append-audit-record.ts";
import { DATABASE } from "../backup/backup-files.ts";

/** How long another may write. */
const PATIENCE_MS = 10_000;
const AGAIN_MS = 10;

/**
 * Records what somebody did with a data directory, whose coordinator may run meanwhile: it signs the new head within some seconds.
 *
 * @returns false where nothing keeps a log yet: before the first start, or before the first start of a version that has one
 * @throws `store/unavailable`, `store/database-damaged`, `store/quota-exceeded`
 */
export async function recordInDataDir(dataDir: string, record: NewAuditRecord, at: number): Promise<boolean> {
  const path = join(dataDir, DATABASE);
  if (!existsSync(path)) return false;
  const until = systemClock.monotonicMs() + PATIENCE_MS;
  for (;;) {
    const appended = appendAuditRecord(path, record, at);
    if (appended !== "busy") return appended === "appended";
    if (systemClock.monotonicMs() > until)
      throw failure("store/unavailable", `store: ${path} was written by another all the time`);
    await delay(systemClock, AGAIN_MS);
  }
}
