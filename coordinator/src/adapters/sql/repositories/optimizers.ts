import type { OptimizerRepository } from "../../../ports/model-repositories.ts";
import { constrained } from "../constraint.ts";
import { blobRef, type Db } from "../rows.ts";

export function optimizerRepository(db: Db): OptimizerRepository {
  return {
    async get(task) {
      const row = await db.selectFrom("optimizers").selectAll().where("task", "=", task).executeTakeFirst();
      return (
        row && {
          task: row.task,
          version: row.version,
          state: blobRef(row.stateDigest, row.stateSizeBytes),
          residual:
            row.residualDigest === null ? null : blobRef(row.residualDigest, row.residualSizeBytes ?? 0),
        }
      );
    },
    async put(record) {
      const { task, version, state, residual } = record;
      const changed = {
        version,
        stateDigest: state.digest,
        stateSizeBytes: state.sizeBytes,
        residualDigest: residual?.digest ?? null,
        residualSizeBytes: residual?.sizeBytes ?? null,
      };
      await constrained(`the optimizer of "${task}"`, () =>
        db
          .insertInto("optimizers")
          .values({ task, ...changed })
          .onConflict((oc) => oc.column("task").doUpdateSet(changed))
          .execute(),
      );
    },
    async remove(task) {
      await db.deleteFrom("optimizers").where("task", "=", task).execute();
    },
  };
}
