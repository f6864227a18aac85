import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";

/** For whom an identity provider vouches, in the sessions that began so. */
export const identityProviders: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("sessions").addColumn("vouched", "text").execute();
  },
};
