import type { ApiClient } from "@tributary/api-client";

/** All records that a coordinator has, in their order. */
export async function* servedRecords(api: Pick<ApiClient, "auditRecords">): AsyncGenerator<unknown> {
  for (let start = 0; ;) {
    const records = await api.auditRecords({ start });
    if (records.length === 0) return;
    yield* records;
    start += records.length;
  }
}
