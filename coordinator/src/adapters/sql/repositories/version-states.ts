import type { Selectable } from "kysely";
import type { VersionStateRepository } from "../../../ports/model-repositories.ts";
import type { VersionStateRecord } from "../../../ports/model-records.ts";
import { constrained } from "../constraint.ts";
import { type Db, fromJson } from "../rows.ts";
import type { VersionStatesTable } from "../schema.ts";

export function versionStateRepository(db: Db): VersionStateRepository {
  return {
    async insert({ plan, aggregate, before, after, ...rest }) {
      await constrained(`the state after version ${rest.version} of "${rest.model}"`, () =>
        db
          .insertInto("versionStates")
          .values({
            ...rest,
            plan: JSON.stringify(plan),
            aggregate: aggregate && JSON.stringify(aggregate),
            before: before && JSON.stringify(before),
            after: after && JSON.stringify(after),
          })
          .execute(),
      );
    },
    async get(model, version) {
      const row = await db
        .selectFrom("versionStates")
        .selectAll()
        .where("model", "=", model)
        .where("version", "=", version)
        .executeTakeFirst();
      return row && toRecord(row);
    },
    async list(model) {
      const rows = await db
        .selectFrom("versionStates")
        .selectAll()
        .where("model", "=", model)
        .orderBy("version", "desc")
        .execute();
      return rows.map(toRecord);
    },
    async forget(model, upTo, kept) {
      let query = db.deleteFrom("versionStates").where("model", "=", model).where("version", "<=", upTo);
      if (kept.length > 0) query = query.where("version", "not in", kept);
      await query.execute();
    },
  };
}

function toRecord({
  plan,
  aggregate,
  before,
  after,
  ...rest
}: Selectable<VersionStatesTable>): VersionStateRecord {
  return {
    ...rest,
    plan: fromJson(plan),
    aggregate: aggregate === null ? null : fromJson(aggregate),
    before: before === null ? null : fromJson(before),
    after: after === null ? null : fromJson(after),
  };
}
