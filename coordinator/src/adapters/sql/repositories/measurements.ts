import type { Selectable } from "kysely";
import type { MeasurementRepository } from "../../../ports/metadata-store.ts";
import type { MeasurementRecord } from "../../../ports/records.ts";
import { constrained } from "../constraint.ts";
import { type Db, fromJson, newestOfTask } from "../rows.ts";
import type { MeasurementsTable } from "../schema.ts";

export function measurementRepository(db: Db): MeasurementRepository {
  return {
    async insert({ metrics, sums, ...rest }) {
      await constrained(`measurement of round "${rest.roundId}"`, () =>
        db
          .insertInto("measurements")
          .values({ ...rest, metrics: JSON.stringify(metrics), sums: JSON.stringify(sums) })
          .execute(),
      );
    },
    async list(task, { limit = 100 } = {}) {
      return (await newestOfTask(db, "measurements", task, limit)).map(toRecord);
    },
    async ofPair(model, a, b) {
      const row = await db
        .selectFrom("measurements")
        .selectAll()
        .where("model", "=", model)
        .where("version", "in", [a, b])
        .where("candidate", "in", [a, b])
        .whereRef("version", "!=", "candidate")
        .orderBy("at", "desc")
        .orderBy("roundId", "desc")
        .limit(1)
        .executeTakeFirst();
      return row && toRecord(row);
    },
    async first(task) {
      const row = await db
        .selectFrom("measurements")
        .selectAll()
        .where("task", "=", task)
        .orderBy("at")
        .orderBy("roundId")
        .limit(1)
        .executeTakeFirst();
      return row && toRecord(row);
    },
  };
}

function toRecord({ metrics, sums, ...rest }: Selectable<MeasurementsTable>): MeasurementRecord {
  return { ...rest, metrics: fromJson(metrics), sums: fromJson(sums) };
}
