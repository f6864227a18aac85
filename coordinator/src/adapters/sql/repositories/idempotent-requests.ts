import type { IdempotentRequestRepository } from "../../../ports/event-repositories.ts";
import type { IdempotentRequestRecord } from "../../../ports/event-records.ts";
import { constrained } from "../constraint.ts";
import type { Db } from "../rows.ts";
import type { IdempotentRequestsTable } from "../schema.ts";

export function idempotentRequestRepository(db: Db): IdempotentRequestRepository {
  return {
    begin: ({ id, request, at }) =>
      constrained("the request of this idempotency key", async () => {
        const none = { bodyDigest: null, status: null, contentType: null, body: null };
        await db
          .insertInto("idempotentRequests")
          .values({ id, request, at, ...none })
          .execute();
      }),
    async get(id) {
      const row = await db
        .selectFrom("idempotentRequests")
        .selectAll()
        .where("id", "=", id)
        .executeTakeFirst();
      return row && recordOf(row);
    },
    async finish(id, bodyDigest, answer) {
      const { status, contentType, body } = answer ?? { status: null, contentType: null, body: null };
      await db
        .updateTable("idempotentRequests")
        .set({ bodyDigest, status, contentType, body })
        .where("id", "=", id)
        .execute();
    },
    async forget(id) {
      await db.deleteFrom("idempotentRequests").where("id", "=", id).execute();
    },
    async prune(begunBefore) {
      await db.deleteFrom("idempotentRequests").where("at", "<", begunBefore).execute();
    },
    async count() {
      const { count } = await db
        .selectFrom("idempotentRequests")
        .select((eb) => eb.fn.countAll<number>().as("count"))
        .executeTakeFirstOrThrow();
      return Number(count);
    },
  };
}

function recordOf(row: IdempotentRequestsTable): IdempotentRequestRecord {
  const { id, request, bodyDigest, at, status, contentType, body } = row;
  const answer = status === null || body === null ? null : { status, contentType, body };
  return { id, request, bodyDigest, at, answer };
}
