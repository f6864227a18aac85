import type { EventRepository } from "../../../ports/event-repositories.ts";
import type { EventRecord } from "../../../ports/event-records.ts";
import { type Db, fromJson, together } from "../rows.ts";

export function eventRepository(db: Db): EventRepository {
  return {
    append(events, at) {
      return together(db, async (tx) => {
        const logged: EventRecord[] = [];
        for (const event of events) {
          const { id } = await tx
            .insertInto("events")
            .values({ type: event.type, data: JSON.stringify(event.data), at })
            .returning("id")
            .executeTakeFirstOrThrow();
          logged.push({ id, type: event.type, data: event.data, at });
        }
        return logged;
      });
    },
    async after(id, limit) {
      const rows = await db
        .selectFrom("events")
        .selectAll()
        .where("id", ">", id)
        .orderBy("id")
        .limit(limit)
        .execute();
      return rows.map((row) => ({
        id: row.id,
        type: row.type,
        data: fromJson(row.data),
        at: row.at,
      }));
    },
    async bounds() {
      const row = await db
        .selectFrom("events")
        .select((eb) => [eb.fn.min("id").as("oldest"), eb.fn.max("id").as("newest")])
        .executeTakeFirstOrThrow();
      return { oldest: row.oldest ?? 0, newest: row.newest ?? 0 };
    },
    async prune(keep) {
      // The newest one stays: its id is what the next one counts from.
      const kept = Math.max(1, keep);
      await db
        .deleteFrom("events")
        .where("id", "<=", (eb) =>
          eb.selectFrom("events").select((e) => e(e.fn.max("id"), "-", kept).as("limit")),
        )
        .execute();
    },
  };
}
