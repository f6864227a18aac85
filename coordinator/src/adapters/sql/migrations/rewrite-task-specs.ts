import type { Kysely } from "kysely";

interface Tables {
  tasks: { name: string; spec: string };
}

/** Spells out in every stored task document what it did not say before. */
export async function rewriteTaskSpecs(
  db: Kysely<unknown>,
  change: (before: { readonly local: object }) => object,
): Promise<void> {
  const tables = db as Kysely<Tables>;
  for (const { name, spec } of await tables.selectFrom("tasks").select(["name", "spec"]).execute()) {
    const after = change(JSON.parse(spec) as { readonly local: object });
    await tables
      .updateTable("tasks")
      .set({ spec: JSON.stringify(after) })
      .where("name", "=", name)
      .execute();
  }
}
