import { parseTaskSpec } from "@tributary/protocol";
import type { Selectable } from "kysely";
import type { TaskRepository } from "../../../ports/metadata-store.ts";
import type { TaskRecord } from "../../../ports/records.ts";
import { constrained, requireRow } from "../constraint.ts";
import { blobRef, type Db, fromJson } from "../rows.ts";
import type { TasksTable } from "../schema.ts";

export function taskRepository(db: Db): TaskRepository {
  return {
    async insert(task) {
      const { plan, spec, gatePlan, gate, ...rest } = task;
      await constrained(`task "${task.name}"`, () =>
        db
          .insertInto("tasks")
          .values({
            ...rest,
            spec: JSON.stringify(spec),
            planNumber: plan.number,
            planTarget: plan.target,
            planDigest: plan.digest,
            planSizeBytes: plan.sizeBytes,
            gatePlan: gatePlan && JSON.stringify(gatePlan),
            gate: gate && JSON.stringify(gate),
          })
          .execute(),
      );
    },
    async get(name) {
      const row = await db.selectFrom("tasks").selectAll().where("name", "=", name).executeTakeFirst();
      return row && toRecord(row);
    },
    async list() {
      const rows = await db.selectFrom("tasks").selectAll().orderBy("createdAt").orderBy("name").execute();
      return rows.map(toRecord);
    },
    async setState(name, state) {
      const { numUpdatedRows } = await db
        .updateTable("tasks")
        .set({ state })
        .where("name", "=", name)
        .executeTakeFirstOrThrow();
      requireRow(`task "${name}"`, numUpdatedRows);
    },
    async setSpec(name, spec) {
      const { numUpdatedRows } = await db
        .updateTable("tasks")
        .set({ spec: JSON.stringify(spec) })
        .where("name", "=", name)
        .executeTakeFirstOrThrow();
      requireRow(`task "${name}"`, numUpdatedRows);
    },
    async setGate(name, gate) {
      const { numUpdatedRows } = await db
        .updateTable("tasks")
        .set({ gate: JSON.stringify(gate) })
        .where("name", "=", name)
        .executeTakeFirstOrThrow();
      requireRow(`task "${name}"`, numUpdatedRows);
    },
  };
}

function toRecord(row: Selectable<TasksTable>): TaskRecord {
  return {
    name: row.name,
    model: row.model,
    population: row.population,
    state: row.state,
    // A task of an earlier release gets the defaults of what it could not say.
    spec: parseTaskSpec(fromJson(row.spec)),
    plan: {
      number: row.planNumber,
      target: row.planTarget,
      ...blobRef(row.planDigest, row.planSizeBytes),
    },
    gatePlan: row.gatePlan === null ? null : fromJson(row.gatePlan),
    gate: row.gate === null ? null : fromJson(row.gate),
    createdAt: row.createdAt,
  };
}
