import type { AliasRepository } from "../../../ports/model-repositories.ts";
import type { AliasRecord } from "../../../ports/model-records.ts";
import { constrained } from "../constraint.ts";
import type { Db } from "../rows.ts";

export function aliasRepository(db: Db): AliasRepository {
  return {
    get: (model, name) =>
      db
        .selectFrom("aliases")
        .selectAll()
        .where("model", "=", model)
        .where("name", "=", name)
        .executeTakeFirst(),
    list: (model) =>
      db.selectFrom("aliases").selectAll().where("model", "=", model).orderBy("name").execute(),
    move: (alias) => putAlias(db, alias),
    async remove(model, name) {
      const { numDeletedRows } = await db
        .deleteFrom("aliases")
        .where("model", "=", model)
        .where("name", "=", name)
        .executeTakeFirstOrThrow();
      return numDeletedRows > 0n;
    },
  };
}

export async function putAlias(db: Db, { model, name, version, movedAt }: AliasRecord): Promise<void> {
  const changes = { version, movedAt };
  await constrained(`version ${version} of "${model}", as "${name}",`, () =>
    db
      .insertInto("aliases")
      .values({ model, name, ...changes })
      .onConflict((oc) => oc.columns(["model", "name"]).doUpdateSet(changes))
      .execute(),
  );
}
