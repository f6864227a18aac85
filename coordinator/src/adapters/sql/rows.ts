import type { Digest, RoundId, TaskName } from "@tributary/core";
import type { Kysely, Selectable, Transaction } from "kysely";
import type { BlobRef } from "../../ports/model-records.ts";
import type { Database } from "./schema.ts";

/** A database, or the transaction that is under way. */
export type Db = Kysely<Database>;

/** JSON that this adapter wrote itself. */
export function fromJson<T>(text: string): T {
  return JSON.parse(text) as T;
}

export function blobRef(digest: Digest, sizeBytes: number): BlobRef {
  return { digest, sizeBytes };
}

/** A copy: drivers hand out views of larger buffers. */
export function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

/** Runs several statements as one: in the transaction under way, or in one of their own. */
export function together<T>(db: Db, work: (tx: Db) => Promise<T>): Promise<T> {
  if (db.isTransaction) return work(db);
  return db.transaction().execute((tx: Transaction<Database>) => work(tx));
}

/** Tables with a row of a task's round, and when it came. */
type OfRounds = "bufferedCohorts" | "measurements";

/** A task's rows, newest first. @param before only those that come after this place */
export async function newestOfTask<Table extends OfRounds>(
  db: Db,
  table: Table,
  task: TaskName,
  limit: number,
  before?: { readonly at: number; readonly roundId: RoundId },
): Promise<readonly Selectable<Database[Table]>[]> {
  // The columns named here are the same in all of them.
  let query = db
    .selectFrom<OfRounds>(table as OfRounds)
    .selectAll()
    .where("task", "=", task);
  if (before !== undefined)
    query = query.where((eb) => eb(eb.refTuple("at", "roundId"), "<", eb.tuple(before.at, before.roundId)));
  const rows = await query.orderBy("at", "desc").orderBy("roundId", "desc").limit(limit).execute();
  return rows as unknown as Selectable<Database[Table]>[];
}
