import type { JournalRepository } from "../../../ports/round-repositories.ts";
import { constrained } from "../constraint.ts";
import { type Db, fromJson, together } from "../rows.ts";

/** Rows of one statement: SQLite takes 32,766 values at most. */
const ROWS = 1_000;

export function journalRepository(db: Db): JournalRepository {
  return {
    async append(entries) {
      if (entries.length === 0) return;
      const first = entries[0]!;
      const rows = entries.map((entry) => ({ ...entry, input: JSON.stringify(entry.input) }));
      await constrained(`input ${first.sequence} of round "${first.roundId}"`, () =>
        together(db, async (tx) => {
          for (let at = 0; at < rows.length; at += ROWS)
            await tx
              .insertInto("roundInputs")
              .values(rows.slice(at, at + ROWS))
              .execute();
        }),
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
