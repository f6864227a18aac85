import { failure, TributaryError } from "@tributary/core";
import SqliteDatabase from "better-sqlite3";
import { CamelCasePlugin, Kysely, SqliteDialect } from "kysely";
import { Migrator } from "kysely/migration";
import { codedSqlite, damaged, sqliteFailure, type SqliteObserver } from "./coded-sqlite.ts";
import { migrationProvider } from "./migrations/index.ts";
import type { Database } from "./schema.ts";

/** How long a statement waits for another process (a backup, `sqlite3` at a prompt) to let go. */
const BUSY_TIMEOUT_MS = 5_000;

/**
 * Opens a database file (or `:memory:`) with what durability needs, and brings its tables up to date.
 * WAL with `synchronous=FULL`: a transaction that returned survives the loss of power.
 *
 * @throws `store/unavailable` (cannot be opened), `store/database-damaged`, `store/newer-schema`
 */
export async function openSqlite(path: string, observer?: SqliteObserver): Promise<Kysely<Database>> {
  const raw = openFile(path);
  const db = new Kysely<Database>({
    dialect: new SqliteDialect({ database: codedSqlite(raw, path, observer) }),
    plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true })],
  });
  try {
    await migrate(db, raw, path);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  return db;
}

function openFile(path: string): SqliteDatabase.Database {
  let raw: SqliteDatabase.Database | undefined;
  try {
    raw = new SqliteDatabase(path, { timeout: BUSY_TIMEOUT_MS });
    raw.pragma("journal_mode = WAL");
    raw.pragma("synchronous = FULL");
    raw.pragma("foreign_keys = ON");
    raw.pragma("trusted_schema = OFF");
    const found = raw.pragma("quick_check(1)", { simple: true });
    if (found !== "ok") throw damaged(path, String(found));
    return raw;
  } catch (cause) {
    raw?.close();
    const coded = sqliteFailure(cause, path);
    if (TributaryError.is(coded)) throw coded;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw failure("store/unavailable", `store: ${path} cannot be opened as a database: ${reason}`, { cause });
  }
}

/** All in one transaction: a database is brought up to date or stays as it was, and the disk is waited for once. */
async function migrate(db: Kysely<Database>, raw: SqliteDatabase.Database, path: string): Promise<void> {
  const migrator = new Migrator({ db, provider: migrationProvider });
  const known = new Set(Object.keys(await migrationProvider.getMigrations()));
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (tables.some((table) => table.name === "kysely_migration")) {
    const applied = await sqlMigrations(db);
    const unknown = applied.find((name) => !known.has(name));
    if (unknown !== undefined)
      throw failure(
        "store/newer-schema",
        `store: ${path} holds migration ${unknown}, which this version does not know`,
      );
  }
  let error: unknown;
  try {
    raw.exec("begin immediate");
    ({ error } = await migrator.migrateToLatest());
    if (error === undefined) raw.exec("commit");
  } catch (cause) {
    error = sqliteFailure(cause, path);
  }
  if (error === undefined) return;
  if (raw.inTransaction) raw.exec("rollback");
  if (TributaryError.is(error)) throw error;
  const reason = error instanceof Error ? error.message : "unknown";
  throw failure("store/unavailable", `store: ${path}: its tables cannot be brought up to date: ${reason}`, {
    cause: error,
  });
}

/** Names of the migrations that a database went through. */
async function sqlMigrations(db: Kysely<Database>): Promise<string[]> {
  const untyped = db as unknown as Kysely<{ kyselyMigration: { name: string } }>;
  const rows = await untyped.selectFrom("kyselyMigration").select("name").execute();
  return rows.map((row) => row.name);
}
