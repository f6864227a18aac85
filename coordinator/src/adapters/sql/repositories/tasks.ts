import { parseTaskSpec, type TaskReason } from "@tributary/protocol";
import type { Selectable } from "kysely";
import type { TaskRepository } from "../../../ports/task-repositories.ts";
import type { TaskRecord } from "../../../ports/task-records.ts";
import { constrained, requireRow } from "../constraint.ts";
import { blobRef, type Db, fromJson } from "../rows.ts";
import type { TasksTable } from "../schema.ts";

export function taskRepository(db: Db): TaskRepository {
  return {
    async insert(task) {
      const { plan, spec, gatePlan, gate, reason, ...rest } = task;
      await constrained(`task "${task.name}"`, () =>
        db
          .insertInto("tasks")
          .values({
            ...rest,
            spec: JSON.stringify(spec),
            reason: toJson(reason),
            ...planColumns(plan),
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
    async setState(name, state, { reason = null, activeSince } = {}) {
      const { numUpdatedRows } = await db
        .updateTable("tasks")
        .set({ state, reason: toJson(reason), ...(activeSince === undefined ? {} : { activeSince }) })
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
    async setPlan(name, plan, gatePlan) {
      const { numUpdatedRows } = await db
        .updateTable("tasks")
        .set({ ...planColumns(plan), gatePlan: gatePlan && JSON.stringify(gatePlan) })
        .where("name", "=", name)
        .executeTakeFirstOrThrow();
      requireRow(`task "${name}"`, numUpdatedRows);
    },
  };
}

function planColumns({ number, target, digest, sizeBytes }: TaskRecord["plan"]) {
  return { planNumber: number, planTarget: target, planDigest: digest, planSizeBytes: sizeBytes };
}

function toRecord(row: Selectable<TasksTable>): TaskRecord {
  return {
    name: row.name,
    model: row.model,
    population: row.population,
    state: row.state,
    spec: specOf(row.spec),
    plan: {
      number: row.planNumber,
      target: row.planTarget,
      ...blobRef(row.planDigest, row.planSizeBytes),
    },
    gatePlan: row.gatePlan === null ? null : fromJson(row.gatePlan),
    gate: row.gate === null ? null : fromJson(row.gate),
    createdAt: row.createdAt,
    reason: row.reason === null ? null : fromJson(row.reason),
    activeSince: row.activeSince,
  };
}

/** Rows are read far more often than they change. */
const specs = new Map<string, TaskRecord["spec"]>();
const MAX_SPECS = 200;

function specOf(text: string): TaskRecord["spec"] {
  const known = specs.get(text);
  if (known !== undefined) return known;
  // A task of an earlier release gets the defaults of what it could not say.
  const spec = parseTaskSpec(fromJson(text));
  if (specs.size >= MAX_SPECS) specs.clear();
  specs.set(text, spec);
  return spec;
}

function toJson(reason: TaskReason | null): string | null {
  return reason === null ? null : JSON.stringify(reason);
}
