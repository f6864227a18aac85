import type { JournalRepository } from "../../../ports/metadata-store.ts";
import { constrained } from "../constraint.ts";
import { type Db, fromJson } from "../rows.ts";

export function journalRepository(db: Db): JournalRepository {
  return {
    async append(entries) {
      if (entries.length === 0) return;
      const first = entries[0]!;
      await constrained(`input ${first.sequence} of round "${first.roundId}"`, () =>
        db
          .insertInto("roundInputs")
          .values(entries.map((entry) => ({ ...entry, input: JSON.stringify(entry.input) })))
          .execute(),
      );
    },
    async read(roundId) {
      const rows = await db
        .selectFrom("roundInputs")
        .selectAll()
        .where("roundId", "=", roundId)
        .orderBy("sequence")
        .execute();
      return rows.map((row) => ({ ...row, input: fromJson(row.input) }));
    },
    async prune(endedBefore) {
      await db
        .deleteFrom("roundInputs")
        .where("roundId", "in", (eb) =>
          eb.selectFrom("rounds").select("id").where("endedAt", "<", endedBefore),
        )
        .execute();
    },
  };
}
