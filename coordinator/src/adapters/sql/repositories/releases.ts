import { failure } from "@tributary/core";
import type { Selectable } from "kysely";
import type { ReleaseRepository } from "../../../ports/metadata-store.ts";
import type { SignedMetadata, TargetRecord, TufRole } from "../../../ports/records.ts";
import { constrained } from "../constraint.ts";
import { type Db, fromJson, ownBytes, together } from "../rows.ts";
import type { TargetsTable, TufMetadataTable } from "../schema.ts";

export function releaseRepository(db: Db): ReleaseRepository {
  return {
    async apply(change) {
      await together(db, async (tx) => {
        const newest = (await latestOf(tx, "timestamp"))?.version ?? null;
        if (newest !== change.expectedTimestampVersion)
          throw failure(
            "store/conflict",
            `store: release: the newest timestamp is ${newest ?? "(none)"}, expected ${change.expectedTimestampVersion ?? "(none)"}; another release was committed first, sign again`,
          );
        for (const metadata of change.metadata) await insertMetadata(tx, metadata);
        for (const path of change.remove) await tx.deleteFrom("targets").where("path", "=", path).execute();
        for (const target of change.put) await putTarget(tx, target);
      });
    },
    insert: (metadata) => insertMetadata(db, metadata),
    async metadata(role, version) {
      const row = await db
        .selectFrom("tufMetadata")
        .selectAll()
        .where("role", "=", role)
        .where("version", "=", version)
        .executeTakeFirst();
      return row && toMetadata(row);
    },
    latest: (role) => latestOf(db, role),
    async target(path) {
      const row = await db.selectFrom("targets").selectAll().where("path", "=", path).executeTakeFirst();
      return row && toTarget(row);
    },
    async isReleased(digest) {
      const row = await db
        .selectFrom("releasedBlobs")
        .select("digest")
        .where("digest", "=", digest)
        .executeTakeFirst();
      return row !== undefined;
    },
    async targets() {
      const rows = await db.selectFrom("targets").selectAll().orderBy("path").execute();
      return rows.map(toTarget);
    },
    async prune(keep) {
      // The newest one stays: the next version counts from it.
      const kept = Math.max(1, keep);
      for (const role of ["timestamp", "snapshot", "targets"] as const)
        await db
          .deleteFrom("tufMetadata")
          .where("role", "=", role)
          .where("version", "<=", (eb) =>
            eb
              .selectFrom("tufMetadata")
              .where("role", "=", role)
              .select((e) => e(e.fn.max("version"), "-", kept).as("limit")),
          )
          .execute();
    },
  };
}

async function latestOf(db: Db, role: TufRole): Promise<SignedMetadata | undefined> {
  const row = await db
    .selectFrom("tufMetadata")
    .selectAll()
    .where("role", "=", role)
    .orderBy("version", "desc")
    .limit(1)
    .executeTakeFirst();
  return row && toMetadata(row);
}

async function insertMetadata(db: Db, metadata: SignedMetadata): Promise<void> {
  await constrained(`${metadata.role} metadata ${metadata.version}`, () =>
    db
      .insertInto("tufMetadata")
      .values({ role: metadata.role, version: metadata.version, bytes: metadata.bytes })
      .execute(),
  );
}

async function putTarget(db: Db, target: TargetRecord): Promise<void> {
  const row = {
    path: target.path,
    digest: target.digest,
    sizeBytes: target.sizeBytes,
    custom: target.custom === null ? null : JSON.stringify(target.custom),
  };
  const { path: _, ...changes } = row;
  await db
    .insertInto("targets")
    .values(row)
    .onConflict((oc) => oc.column("path").doUpdateSet(changes))
    .execute();
  await db
    .insertInto("releasedBlobs")
    .values({ digest: target.digest, sizeBytes: target.sizeBytes })
    .onConflict((oc) => oc.column("digest").doNothing())
    .execute();
}

function toMetadata(row: Selectable<TufMetadataTable>): SignedMetadata {
  return { role: row.role, version: row.version, bytes: ownBytes(row.bytes) };
}

function toTarget(row: Selectable<TargetsTable>): TargetRecord {
  return {
    path: row.path,
    digest: row.digest,
    sizeBytes: row.sizeBytes,
    custom: row.custom === null ? null : fromJson(row.custom),
  };
}
