import { failure } from "@tributary/core";
import type { Selectable } from "kysely";
import type { ReleaseRepository } from "../../../ports/release-repositories.ts";
import type {
  DraftRecord,
  RoleRecord,
  SignedMetadata,
  TargetRecord,
} from "../../../ports/release-records.ts";
import { constrained } from "../constraint.ts";
import { type Db, fromJson, ownBytes, together } from "../rows.ts";
import type { SigningRolesTable, TargetsTable, TufMetadataTable } from "../schema.ts";

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
        for (const role of change.roles) await putRole(tx, role);
        await replaceDrafts(tx, change.drafts);
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
    async allLatest() {
      const rows = await db
        .selectFrom("tufMetadata")
        .selectAll()
        .where((eb) =>
          eb(
            "version",
            "=",
            eb
              .selectFrom("tufMetadata as newer")
              .whereRef("newer.role", "=", "tufMetadata.role")
              .select((e) => e.fn.max("newer.version").as("newest")),
          ),
        )
        .orderBy("role")
        .execute();
      return rows.map(toMetadata);
    },
    async roles() {
      const rows = await db.selectFrom("signingRoles").selectAll().orderBy("role").execute();
      return rows.map(toRole);
    },
    async drafts() {
      const rows = await db.selectFrom("signingDrafts").selectAll().orderBy("role").execute();
      return rows.map(({ role, bytes }) => ({ role, bytes: ownBytes(bytes) }));
    },
    async target(path) {
      const row = await db
        .selectFrom("targets")
        .selectAll()
        .where("path", "=", path)
        .orderBy("role")
        .limit(1)
        .executeTakeFirst();
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
      const rows = await db.selectFrom("targets").selectAll().orderBy("path").orderBy("role").execute();
      return rows.map(toTarget);
    },
    async prune(keep) {
      // The newest one stays: the next version counts from it.
      const kept = Math.max(1, keep);
      const roles = await db
        .selectFrom("tufMetadata")
        .select("role")
        .distinct()
        .where("role", "!=", "root")
        .execute();
      for (const { role } of roles)
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

async function latestOf(db: Db, role: string): Promise<SignedMetadata | undefined> {
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
    role: target.role,
    path: target.path,
    digest: target.digest,
    sizeBytes: target.sizeBytes,
    custom: target.custom === null ? null : JSON.stringify(target.custom),
  };
  const { role: _role, path: _path, ...changes } = row;
  await db
    .insertInto("targets")
    .values(row)
    .onConflict((oc) => oc.columns(["path", "role"]).doUpdateSet(changes))
    .execute();
  await db
    .insertInto("releasedBlobs")
    .values({ digest: target.digest, sizeBytes: target.sizeBytes })
    .onConflict((oc) => oc.column("digest").doNothing())
    .execute();
}

async function putRole(db: Db, { role, model, keys, threshold }: RoleRecord): Promise<void> {
  const changes = { model, keys: JSON.stringify(keys), threshold };
  await db
    .insertInto("signingRoles")
    .values({ role, ...changes })
    .onConflict((oc) => oc.column("role").doUpdateSet(changes))
    .execute();
}

async function replaceDrafts(db: Db, drafts: readonly DraftRecord[]): Promise<void> {
  await db.deleteFrom("signingDrafts").execute();
  for (const draft of drafts) await db.insertInto("signingDrafts").values(draft).execute();
}

function toRole({ role, model, keys, threshold }: Selectable<SigningRolesTable>): RoleRecord {
  return { role, model, keys: fromJson<RoleRecord["keys"]>(keys), threshold };
}

function toMetadata(row: Selectable<TufMetadataTable>): SignedMetadata {
  return { role: row.role, version: row.version, bytes: ownBytes(row.bytes) };
}

function toTarget(row: Selectable<TargetsTable>): TargetRecord {
  return {
    role: row.role,
    path: row.path,
    digest: row.digest,
    sizeBytes: row.sizeBytes,
    custom: row.custom === null ? null : fromJson(row.custom),
  };
}
