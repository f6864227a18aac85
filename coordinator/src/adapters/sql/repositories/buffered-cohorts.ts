import { failure } from "@tributary/core";
import type { Selectable } from "kysely";
import type { BufferedCohortRepository } from "../../../ports/round-repositories.ts";
import type { BufferedCohortRecord } from "../../../ports/round-records.ts";
import { constrained, requireRow } from "../constraint.ts";
import { blobRef, type Db, newestOfTask, together } from "../rows.ts";
import type { BufferedCohortsTable } from "../schema.ts";

export function bufferedCohortRepository(db: Db): BufferedCohortRepository {
  return {
    async insert({ sum, ...cohort }) {
      await constrained(`the sum of round "${cohort.roundId}"`, () =>
        db
          .insertInto("bufferedCohorts")
          .values({ ...cohort, sumDigest: sum.digest, sumSizeBytes: sum.sizeBytes })
          .execute(),
      );
    },
    async pending(task) {
      const rows = await db
        .selectFrom("bufferedCohorts")
        .selectAll()
        .where("task", "=", task)
        .where("version", "is", null)
        .orderBy("at")
        .orderBy("roundId")
        .execute();
      return rows.map(toRecord);
    },
    async list(task, { limit = 100 } = {}) {
      return (await newestOfTask(db, "bufferedCohorts", task, limit)).map(toRecord);
    },
    commit: (cohorts, version) =>
      together(db, async (tx) => {
        for (const { roundId, staleness } of cohorts) {
          const { numUpdatedRows } = await tx
            .updateTable("bufferedCohorts")
            .set({ version, staleness })
            .where("roundId", "=", roundId)
            // The fence: a sum is in one version.
            .where("version", "is", null)
            .executeTakeFirstOrThrow();
          if (numUpdatedRows === 0n)
            throw failure("store/conflict", `store: the sum of round "${roundId}" does not wait any more`);
        }
      }),
    discard: (roundIds) =>
      together(db, async (tx) => {
        for (const roundId of roundIds) {
          const { numDeletedRows } = await tx
            .deleteFrom("bufferedCohorts")
            .where("roundId", "=", roundId)
            .where("version", "is", null)
            .executeTakeFirstOrThrow();
          requireRow(`a sum of round "${roundId}" that waits`, numDeletedRows);
        }
      }),
  };
}

function toRecord(row: Selectable<BufferedCohortsTable>): BufferedCohortRecord {
  const { sumDigest, sumSizeBytes, ...rest } = row;
  return { ...rest, sum: blobRef(sumDigest, sumSizeBytes) };
}
