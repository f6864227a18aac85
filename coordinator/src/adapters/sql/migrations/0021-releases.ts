import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/**
 * Targets are signed by roles: of each model one for its releases and plans, and one for the versions of its rounds. What was there
 * before is the models'; plans lay in folders of their own until then, and are renewed at the next start.
 */
export const releases: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable("versions").addColumn("selfCheck", "text").execute();
    await db.schema
      .createTable("signingRoles")
      .addColumn("role", "text", (c) => c.primaryKey())
      .addColumn("model", "text")
      .addColumn("keys", "text", (c) => c.notNull())
      .addColumn("threshold", "integer", (c) => c.notNull())
      .execute();
    await db.schema
      .createTable("signingDrafts")
      .addColumn("role", "text", (c) => c.primaryKey())
      .addColumn("bytes", "blob", (c) => c.notNull())
      .execute();

    await db.schema.alterTable("targets").renameTo("unsignedTargets").execute();
    await db.schema
      .createTable("targets")
      .addColumn("role", "text", (c) => c.notNull())
      .addColumn("path", "text", (c) => c.notNull())
      .addColumn("digest", "text", (c) => c.notNull())
      .addColumn("sizeBytes", "bigint", (c) => c.notNull())
      .addColumn("custom", "text")
      .addPrimaryKeyConstraint("targets_of_roles_pk", ["path", "role"])
      .execute();
    const { rows: targets } = await sql<Target>`select * from unsigned_targets`.execute(db);
    const { rows: tasks } = await sql<{ name: string; model: string }>`select name, model from tasks`.execute(
      db,
    );
    const modelOf = new Map(tasks.map(({ name, model }) => [name, model]));
    for (const target of targets) {
      const { role, path } = placed(target.path, modelOf);
      const { digest, sizeBytes, custom } = target;
      await sql`insert into targets (role, path, digest, size_bytes, custom)
        values (${role}, ${path}, ${digest}, ${sizeBytes}, ${custom})`.execute(db);
    }
    await db.schema.dropTable("unsignedTargets").execute();
  },
};

interface Target {
  readonly path: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly custom: string | null;
}

function placed(path: string, modelOf: ReadonlyMap<string, string>): { role: string; path: string } {
  const [top, name = "", ...rest] = path.split("/");
  if (top === "models") return { role: roleOf(name), path };
  const model = top === "controls" ? modelOf.get(name) : undefined;
  if (model === undefined) return { role: "targets", path };
  return { role: `${roleOf(model)}-training`, path: ["models", model, top, name, ...rest].join("/") };
}

/** As roles were named then: a model's name, unless another role could have it. */
function roleOf(model: string): string {
  const isTaken = ["root", "timestamp", "snapshot", "targets"].includes(model) || model.endsWith("-training");
  return isTaken ? `model.${model}` : model;
}
