import type { WithdrawalRepository } from "../../../ports/model-repositories.ts";
import { constrained } from "../constraint.ts";
import type { Db } from "../rows.ts";

export function withdrawalRepository(db: Db): WithdrawalRepository {
  return {
    insert: (record) =>
      constrained(`the withdrawal of version ${record.version} of "${record.model}"`, async () => {
        await db
          .insertInto("withdrawals")
          .values({ ...record })
          .execute();
      }),
    get: (model, version) =>
      db
        .selectFrom("withdrawals")
        .selectAll()
        .where("model", "=", model)
        .where("version", "=", version)
        .executeTakeFirst(),
    list: (model) =>
      db
        .selectFrom("withdrawals")
        .selectAll()
        .where("model", "=", model)
        .orderBy("version", "desc")
        .execute(),
  };
}
