import { failure } from "@tributary/core";
import type { Selectable } from "kysely";
import type { AccountRecord } from "../../../ports/access-records.ts";
import type { AccountRepository } from "../../../ports/access-repositories.ts";
import { constrained } from "../constraint.ts";
import { type Db, fromJson, together } from "../rows.ts";
import type { AccountsTable } from "../schema.ts";

export function accountRepository(db: Db): AccountRepository {
  const change = async (tx: Db, name: string, changes: Partial<AccountsTable>): Promise<void> => {
    const { numUpdatedRows } = await tx
      .updateTable("accounts")
      .set(changes)
      .where("name", "=", name)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) throw failure("store/not-found", `store: no account "${name}"`);
  };
  return {
    insert: (account) =>
      constrained(`account "${account.name}"`, async () => {
        await db
          .insertInto("accounts")
          .values({ ...account, grants: JSON.stringify(account.grants) })
          .execute();
      }),
    async get(name) {
      const row = await db.selectFrom("accounts").selectAll().where("name", "=", name).executeTakeFirst();
      return row && toRecord(row);
    },
    async list() {
      return (await db.selectFrom("accounts").selectAll().orderBy("name").execute()).map(toRecord);
    },
    async count() {
      const { count } = await db
        .selectFrom("accounts")
        .select((eb) => eb.fn.countAll<number>().as("count"))
        .executeTakeFirstOrThrow();
      return Number(count);
    },
    setGrants: (name, grants) => change(db, name, { grants: JSON.stringify(grants) }),
    setPassword: (name, password, at) =>
      together(db, async (tx) => {
        await change(tx, name, { password, passwordChangedAt: at });
        await tx.deleteFrom("sessions").where("name", "=", name).where("grants", "is", null).execute();
      }),
    remove: (name) =>
      together(db, async (tx) => {
        await tx.deleteFrom("sessions").where("name", "=", name).where("grants", "is", null).execute();
        await tx.deleteFrom("apiTokens").where("account", "=", name).execute();
        const { numDeletedRows } = await tx
          .deleteFrom("accounts")
          .where("name", "=", name)
          .executeTakeFirstOrThrow();
        return numDeletedRows > 0n;
      }),
  };
}

function toRecord({ grants, ...rest }: Selectable<AccountsTable>): AccountRecord {
  return { ...rest, grants: fromJson(grants) };
}
