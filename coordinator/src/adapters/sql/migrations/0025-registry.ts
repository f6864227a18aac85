import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/** Versions have names, and say what they were made of; models have notes for their cards, and a rule of how long versions stay. */
export const registry: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("aliases")
      .addColumn("model", "text", (c) => c.notNull())
      .addColumn("name", "text", (c) => c.notNull())
      .addColumn("version", "integer", (c) => c.notNull())
      .addColumn("movedAt", "bigint", (c) => c.notNull())
      .addPrimaryKeyConstraint("aliases_pk", ["model", "name"])
      .addForeignKeyConstraint("aliases_version", ["model", "version"], "versions", ["model", "version"])
      .execute();
    await sql`insert into aliases (model, name, version, moved_at)
      select channels.model, 'champion', channels.version, channels.released_at
      from channels join versions on versions.model = channels.model and versions.version = channels.version
      where channels.name = 'stable'`.execute(db);
    for (const { model, candidate, createdAt } of await waitingVersions(db))
      await sql`insert into aliases (model, name, version, moved_at)
        values (${model}, 'candidate', ${candidate}, ${createdAt})`.execute(db);
    await db.schema.alterTable("versions").addColumn("lineage", "text").execute();
    await db.schema.alterTable("models").addColumn("cardNotes", "text").execute();
    await db.schema.alterTable("models").addColumn("retention", "text").execute();
  },
};

interface Waiting {
  readonly model: string;
  readonly candidate: number;
  readonly createdAt: number;
}

/** Of each model the newest version that waits for the verdict of a gate. */
async function waitingVersions(db: Kysely<unknown>): Promise<Iterable<Waiting>> {
  const { rows } = await sql<{ model: string; gate: string }>`
    select model, gate from tasks where gate is not null`.execute(db);
  const waiting = new Map<string, Waiting>();
  for (const { model, gate } of rows) {
    const { candidate } = JSON.parse(gate) as { readonly candidate: number | null };
    if (candidate === null || candidate <= (waiting.get(model)?.candidate ?? 0)) continue;
    const { rows: versions } = await sql<{ createdAt: number }>`
      select created_at from versions where model = ${model} and version = ${candidate}`.execute(db);
    const [version] = versions;
    if (version !== undefined) waiting.set(model, { model, candidate, createdAt: version.createdAt });
  }
  return waiting.values();
}
