import { failure, TributaryError } from "@tributary/core";
import type SqliteDatabase from "better-sqlite3";
import type { SqliteDatabase as KyselyDatabase, SqliteStatement } from "kysely";
import { storageFailure } from "../../durable-files.ts";

/** Told of every write that reached the disk, and of everything the database could not do. */
export interface SqliteObserver {
  worked(): void;
  failed(error: TributaryError): void;
}

/** A database whose own failures (no room, damage) are coded; violated constraints are left to whoever knows what they mean. */
export function codedSqlite(
  raw: SqliteDatabase.Database,
  path: string,
  observer?: SqliteObserver,
): KyselyDatabase {
  let wrote = false;
  const prepared = new Map<string, SqliteDatabase.Statement>();
  /** Preparing a statement takes longer than most take to run. */
  const statementOf = (sql: string): SqliteDatabase.Statement => {
    if (!REPEATED.test(sql)) {
      // It may change the tables that others were prepared for.
      prepared.clear();
      return raw.prepare(sql);
    }
    const known = prepared.get(sql) ?? raw.prepare(sql);
    prepared.delete(sql);
    prepared.set(sql, known);
    const [oldest] = prepared.keys();
    if (prepared.size > MAX_PREPARED) prepared.delete(oldest!);
    return known;
  };
  const coded = <T>(run: () => T): T => {
    try {
      return run();
    } catch (error) {
      const known = sqliteFailure(error, path);
      if (TributaryError.is(known)) observer?.failed(known);
      throw known;
    }
  };
  return {
    close: () => void raw.close(),
    prepare(sql) {
      // A transaction that the database gave up itself, for want of room, has nothing left to roll back.
      if (sql === "rollback" && !raw.inTransaction) return NOTHING;
      // Whoever reads first and writes then would fail where another process wrote in between, instead of waiting for it.
      const statement = coded(() => statementOf(sql === "begin" ? "begin immediate" : sql));
      return {
        reader: statement.reader,
        all: (parameters) => coded(() => statement.all(parameters)),
        // One that is read row by row is busy until the last.
        iterate: (parameters) => coded(() => raw.prepare(sql).iterate(parameters)),
        run(parameters) {
          const result = coded(() => statement.run(parameters));
          wrote = sql !== "rollback" && (wrote || result.changes > 0);
          if (wrote && !raw.inTransaction) {
            wrote = false;
            observer?.worked();
          }
          return result;
        },
      };
    },
  };
}

const MAX_PREPARED = 256;
const REPEATED = /^(select|insert|update|delete|with|begin|commit)\b/;

const NOTHING: SqliteStatement = {
  reader: false,
  all: () => [],
  iterate: () => [].values(),
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
};

/** What SQLite says of the file, in our words; all else as it is. */
export function sqliteFailure(error: unknown, path: string): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== "string" || !code.startsWith("SQLITE_")) return error;
  if (code === "SQLITE_NOTADB" || code.startsWith("SQLITE_CORRUPT"))
    return damaged(path, String(error), error);
  if (code.startsWith("SQLITE_IOERR") || code === "SQLITE_READONLY" || code === "SQLITE_CANTOPEN")
    return failure("store/unavailable", `store: ${path} cannot be read or written: ${code}`, {
      cause: error,
    });
  return storageFailure(error);
}

export function damaged(path: string, what: string, cause?: unknown): TributaryError {
  return failure(
    "store/database-damaged",
    `store: the database ${path} is damaged: ${what}`,
    cause === undefined ? {} : { cause },
  );
}
