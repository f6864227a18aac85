import { failure, TributaryError } from "@tributary/core";

/** The constraint that SQLite says was violated, if it is one of those that callers can run into. */
function violated(error: unknown): "unique" | "foreign-key" | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  if (code === "SQLITE_CONSTRAINT_PRIMARYKEY" || code === "SQLITE_CONSTRAINT_UNIQUE") return "unique";
  if (code === "SQLITE_CONSTRAINT_FOREIGNKEY") return "foreign-key";
  return undefined;
}

/**
 * Runs a write and turns constraint violations into `store/conflict` and `store/not-found`.
 *
 * @param what - the row, for the message: `version 3 of "digits"`
 */
export async function constrained<T>(what: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (TributaryError.is(error)) throw error;
    switch (violated(error)) {
      case "unique":
        throw failure("store/conflict", `store: ${what} exists already`, { cause: error });
      case "foreign-key":
        throw failure("store/not-found", `store: ${what} refers to something that is not stored`, {
          cause: error,
        });
      default:
        throw error;
    }
  }
}

/** Fails with `store/not-found` when an update found no row. */
export function requireRow(what: string, changed: bigint): void {
  if (changed === 0n) throw failure("store/not-found", `store: ${what} is not stored`);
}
