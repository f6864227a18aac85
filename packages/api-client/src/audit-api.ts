import type { Client } from "openapi-fetch";
import { answered, json, type CallOptions } from "./calling.ts";
import type { paths } from "./generated/api.ts";
import type { AuditRecordView, AuditView } from "./views.ts";

/** What is looked for in the audit log: records of which all that is given holds. */
export type AuditFilter = NonNullable<paths["/v1/audit"]["get"]["parameters"]["query"]>;

export interface AuditRecordsOptions extends CallOptions {
  readonly start: number;
  /** 1 to 1000. @defaultValue 1000 */
  readonly limit?: number | undefined;
}

/** What operators did, and what was decided without them. */
export interface AuditApi {
  /** What operators did and what was decided without them, newest first, and the log's head. */
  audit(filter?: AuditFilter, options?: CallOptions): Promise<AuditView>;
  /** The audit log in its order from `start`, at most 1000 records. */
  auditRecords(options: AuditRecordsOptions): Promise<readonly AuditRecordView[]>;
}

export function auditApi(http: Client<paths>): AuditApi {
  return {
    audit: (filter, call) =>
      answered("GET /v1/audit", call, () =>
        http.GET("/v1/audit", { params: { query: { limit: 100, ...filter } }, ...json(call) }),
      ),
    auditRecords: async ({ start, limit = 1000, ...call }) =>
      (
        await answered("GET /v1/audit/records", call, () =>
          http.GET("/v1/audit/records", { params: { query: { start, limit } }, ...json(call) }),
        )
      ).records,
  };
}
