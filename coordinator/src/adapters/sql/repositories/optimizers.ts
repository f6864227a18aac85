import type { OptimizerRepository } from "../../../ports/metadata-store.ts";
import { constrained } from "../constraint.ts";
import { type Db, ownBytes } from "../rows.ts";

export function optimizerRepository(db: Db): OptimizerRepository {
  return {
    async get(task) {
      const row = await db.selectFrom("optimizers").selectAll().where("task", "=", task).executeTakeFirst();
      return row && { ...row, state: ownBytes(row.state) };
    },
    async put(record) {
      const { version, state } = record;
      await constrained(`the optimizer of "${record.task}"`, () =>
        db
          .insertInto("optimizers")
          .values({ ...record })
          .onConflict((oc) => oc.column("task").doUpdateSet({ version, state }))
          .execute(),
      );
    },
  };
}
