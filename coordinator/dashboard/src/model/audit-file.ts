import type { ApiClient } from "@tributary/api-client";

/** Records read at a time: as many as the coordinator gives. */
const AT_ONCE = 1_000;

/** The whole audit log, a record a line. */
export async function auditFile(api: Pick<ApiClient, "auditRecords">): Promise<string> {
  const lines: string[] = [];
  for (let start = 0; ; start += AT_ONCE) {
    const records = await api.auditRecords({ start, limit: AT_ONCE });
    lines.push(...records.map((record) => `${JSON.stringify(record)}\n`));
    if (records.length < AT_ONCE) return lines.join("");
  }
}
