import { failure } from "@tributary/core";
import { STABLE_CHANNEL } from "@tributary/protocol";
import type { Selectable } from "kysely";
import type { VersionRepository } from "../../../ports/model-repositories.ts";
import type { VersionRecord } from "../../../ports/model-records.ts";
import { constrained, requireRow } from "../constraint.ts";
import { blobRef, type Db, fromJson, together } from "../rows.ts";
import type { VersionsTable } from "../schema.ts";
import { putChannel } from "./channels.ts";

export function versionRepository(db: Db): VersionRepository {
  return {
    async insert(version) {
      const what = `version ${version.version} of "${version.model}"`;
      await together(db, async (tx) => {
        await constrained(what, () => tx.insertInto("versions").values(toRow(version)).execute());
        const { numUpdatedRows } = await tx
          .updateTable("models")
          .set({ currentVersion: version.version })
          .where("name", "=", version.model)
          // The fence: a version grows out of the current one. A model's first one is current from its insertion.
          .where("currentVersion", "=", version.parentVersion ?? version.version)
          .where("currentVersion", "<=", version.version)
          .executeTakeFirstOrThrow();
        if (numUpdatedRows === 0n)
          throw failure(
            "store/conflict",
            `store: ${what}: its parent ${version.parentVersion ?? "(none)"} is not the current version; another version was committed first`,
          );
        const { model, releasedAt } = version;
        if (releasedAt !== null)
          await putChannel(tx, { model, name: STABLE_CHANNEL, version: version.version, releasedAt });
      });
    },
    async get(model, version) {
      const row = await db
        .selectFrom("versions")
        .selectAll()
        .where("model", "=", model)
        .where("version", "=", version)
        .executeTakeFirst();
      return row && toRecord(row);
    },
    async list(model, { limit = 100, before } = {}) {
      let query = db.selectFrom("versions").selectAll().where("model", "=", model);
      if (before !== undefined) query = query.where("version", "<", before);
      const rows = await query.orderBy("version", "desc").limit(limit).execute();
      return rows.map(toRecord);
    },
    async count(model) {
      const row = await db
        .selectFrom("versions")
        .select((eb) => eb.fn.countAll<number>().as("count"))
        .where("model", "=", model)
        .executeTakeFirstOrThrow();
      return Number(row.count);
    },
    async setGate(model, version, gate) {
      const { numUpdatedRows } = await db
        .updateTable("versions")
        .set({ gate: JSON.stringify(gate) })
        .where("model", "=", model)
        .where("version", "=", version)
        .executeTakeFirstOrThrow();
      requireRow(`version ${version} of "${model}"`, numUpdatedRows);
    },
    async setRequiredRuntime(model, version, requiredRuntime) {
      const { numUpdatedRows } = await db
        .updateTable("versions")
        .set({ requiredRuntime })
        .where("model", "=", model)
        .where("version", "=", version)
        .executeTakeFirstOrThrow();
      requireRow(`version ${version} of "${model}"`, numUpdatedRows);
    },
  };
}

function toRow(version: VersionRecord): VersionsTable {
  const { graph, weights, int8, variants, metrics, strategy, gate, trust, selfCheck, lineage, ...rest } =
    version;
  return {
    ...rest,
    metrics: JSON.stringify(metrics),
    graphDigest: graph.digest,
    graphSizeBytes: graph.sizeBytes,
    weightsDigest: weights.digest,
    weightsSizeBytes: weights.sizeBytes,
    int8Digest: int8.digest,
    int8SizeBytes: int8.sizeBytes,
    variants: variants.length === 0 ? null : JSON.stringify(variants),
    strategy: strategy && JSON.stringify(strategy),
    gate: gate && JSON.stringify(gate),
    trust: trust && JSON.stringify(trust),
    selfCheck: selfCheck && JSON.stringify(selfCheck),
    lineage: lineage && JSON.stringify(lineage),
  };
}

function toRecord(row: Selectable<VersionsTable>): VersionRecord {
  const {
    graphDigest,
    graphSizeBytes,
    weightsDigest,
    weightsSizeBytes,
    int8Digest,
    int8SizeBytes,
    variants,
    metrics,
    strategy,
    gate,
    trust,
    selfCheck,
    lineage,
    ...rest
  } = row;
  return {
    ...rest,
    metrics: fromJson(metrics),
    graph: blobRef(graphDigest, graphSizeBytes),
    weights: blobRef(weightsDigest, weightsSizeBytes),
    int8: blobRef(int8Digest, int8SizeBytes),
    variants: variants === null ? [] : fromJson(variants),
    strategy: strategy === null ? null : fromJson(strategy),
    gate: gate === null ? null : fromJson(gate),
    trust: trust === null ? null : fromJson(trust),
    selfCheck: selfCheck === null ? null : fromJson(selfCheck),
    lineage: lineage === null ? null : fromJson(lineage),
  };
}
