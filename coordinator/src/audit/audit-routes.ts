import {
  AuditList,
  AuditQuery,
  AuditRecords,
  AuditRecordsQuery,
  type AuditHead,
  type AuditObject,
} from "@tributary/protocol";
import type { App } from "../http/app.ts";
import { LISTS } from "../pages/lists.ts";
import type { AuditFilter, AuditRepository } from "../ports/audit-repository.ts";

/** A head, and the timestamp that has it. */
export type SignedAudit = AuditHead & { readonly timestampVersion: number };

export interface AuditRoutesOptions {
  readonly audit: AuditRepository;
  /** The head in the newest signed timestamp. */
  readonly signed: () => Promise<SignedAudit | undefined>;
}

const tags = ["audit log"];
const security = [{ operator: [] }];

/** `GET /v1/audit` and below: what auditors of one model see of it, and the whole for those of all. */
export function registerAuditRoutes(app: App, { audit, signed }: AuditRoutesOptions): void {
  app.get(
    "/v1/audit",
    {
      config: { needs: "audit", of: "query" },
      schema: {
        summary: "What operators did and what was decided without them, newest first",
        tags,
        security,
        querystring: AuditQuery,
        response: { 200: AuditList },
      },
    },
    async ({ query: { limit, cursor, ...query } }, reply) => {
      const filter = await filterOf(audit, query);
      const asked = { limit, ...(cursor === undefined ? {} : { cursor }) };
      const { rows, next } = await LISTS.auditRecords(asked, (page) => audit.list(filter, page));
      return reply
        .header("cache-control", "private, no-store")
        .send({ records: rows, head: await audit.head(), signed: (await signed()) ?? null, next });
    },
  );

  app.get(
    "/v1/audit/records",
    {
      config: { needs: "audit" },
      schema: {
        summary: "The audit log in its order: what its hashes are checked with",
        tags,
        security,
        querystring: AuditRecordsQuery,
        response: { 200: AuditRecords },
      },
    },
    async ({ query: { start, limit } }, reply) => {
      return reply
        .header("cache-control", "private, no-store")
        .send({ start, records: await audit.read(start, limit) });
    },
  );
}

async function filterOf(
  audit: Pick<AuditRepository, "pseudonym">,
  { actor, action, since, until, device, ...object }: Omit<AuditQuery, "limit" | "cursor">,
): Promise<AuditFilter> {
  const named: AuditObject =
    device === undefined ? object : { ...object, device: (await audit.pseudonym(device)) ?? device };
  return {
    ...(actor && { actor }),
    ...(action && { action }),
    ...(since && { since: Date.parse(since) }),
    ...(until && { until: Date.parse(until) }),
    object: named,
  };
}
