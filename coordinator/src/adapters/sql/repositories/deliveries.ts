import type { Selectable } from "kysely";
import type { DeliveryRepository } from "../../../ports/alert-repositories.ts";
import type { DeliveryRecord } from "../../../ports/alert-records.ts";
import { constrained, requireRow } from "../constraint.ts";
import { type Db, fromJson } from "../rows.ts";
import type { DeliveriesTable } from "../schema.ts";

export function deliveryRepository(db: Db): DeliveryRepository {
  return {
    insert: (delivery) =>
      constrained(`delivery ${delivery.id}`, async () => {
        const { sequence } = await db
          .insertInto("deliveries")
          .values({ ...delivery, notification: JSON.stringify(delivery.notification) })
          .returning("sequence")
          .executeTakeFirstOrThrow();
        return { ...delivery, sequence };
      }),
    async update({ id, notification, ...changes }) {
      const { numUpdatedRows } = await db
        .updateTable("deliveries")
        .set({ ...changes, notification: JSON.stringify(notification) })
        .where("id", "=", id)
        .executeTakeFirstOrThrow();
      requireRow(`delivery ${id}`, numUpdatedRows);
    },
    async queued(channel) {
      let query = db.selectFrom("deliveries").selectAll().where("state", "=", "queued");
      if (channel !== undefined) query = query.where("channel", "=", channel);
      return (await query.orderBy("sequence").execute()).map(toRecord);
    },
    async list(channel, { limit, before }) {
      let query = db.selectFrom("deliveries").selectAll().where("channel", "=", channel);
      if (before !== undefined) query = query.where("sequence", "<", before);
      return (await query.orderBy("sequence", "desc").limit(limit).execute()).map(toRecord);
    },
    async prune(channel, keep) {
      const oldest = await db
        .selectFrom("deliveries")
        .select("sequence")
        .where("channel", "=", channel)
        .where("state", "!=", "queued")
        .orderBy("sequence", "desc")
        .offset(keep - 1)
        .limit(1)
        .executeTakeFirst();
      if (oldest === undefined) return;
      await db
        .deleteFrom("deliveries")
        .where("channel", "=", channel)
        .where("state", "!=", "queued")
        .where("sequence", "<", oldest.sequence)
        .execute();
    },
  };
}

function toRecord({ notification, ...rest }: Selectable<DeliveriesTable>): DeliveryRecord {
  return { ...rest, notification: fromJson(notification) };
}
