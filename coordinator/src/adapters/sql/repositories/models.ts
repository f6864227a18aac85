import type { Selectable } from "kysely";
import type { ModelRepository } from "../../../ports/metadata-store.ts";
import type { ModelRecord } from "../../../ports/records.ts";
import { constrained, requireRow } from "../constraint.ts";
import { blobRef, type Db, fromJson, together } from "../rows.ts";
import type { ModelsTable } from "../schema.ts";

export function modelRepository(db: Db): ModelRepository {
  return {
    async insert(model) {
      await constrained(`model "${model.name}"`, () =>
        db
          .insertInto("models")
          .values({
            name: model.name,
            channel: model.channel,
            currentVersion: model.currentVersion,
            releasedVersion: model.releasedVersion,
            releasedAt: model.releasedAt,
            parameters: JSON.stringify(model.parameters),
            parameterCount: model.parameterCount,
            graphDigest: model.graph.digest,
            graphSizeBytes: model.graph.sizeBytes,
            trainingGraphDigest: model.trainingGraph?.digest ?? null,
            trainingGraphSizeBytes: model.trainingGraph?.sizeBytes ?? null,
            format: model.format === "onnx" ? null : model.format,
            inputs: JSON.stringify(model.inputs),
            outputs: JSON.stringify(model.outputs),
            labels: model.labels === null ? null : JSON.stringify(model.labels),
            processing: model.processing === null ? null : JSON.stringify(model.processing),
            explanation: model.explanation === null ? null : JSON.stringify(model.explanation),
            personalisation: model.personalisation === null ? null : JSON.stringify(model.personalisation),
            variants: model.variants.length === 0 ? null : JSON.stringify(model.variants),
            createdAt: model.createdAt,
          })
          .execute(),
      );
    },
    async get(name) {
      const row = await db.selectFrom("models").selectAll().where("name", "=", name).executeTakeFirst();
      return row && toRecord(row);
    },
    async list() {
      const rows = await db.selectFrom("models").selectAll().orderBy("name").execute();
      return rows.map(toRecord);
    },
    release: (name, version, at) =>
      together(db, async (tx) => {
        const { numUpdatedRows } = await tx
          .updateTable("versions")
          .set({ releasedAt: at })
          .where("model", "=", name)
          .where("version", "=", version)
          .executeTakeFirstOrThrow();
        requireRow(`version ${version} of "${name}"`, numUpdatedRows);
        await tx
          .updateTable("models")
          .set({ releasedVersion: version, releasedAt: at })
          .where("name", "=", name)
          .execute();
      }),
    async resetHead(name, version) {
      const { numUpdatedRows } = await db
        .updateTable("models")
        .set({ currentVersion: version })
        .where("name", "=", name)
        .where((eb) =>
          eb.exists(
            eb
              .selectFrom("versions")
              .select("version")
              .where("model", "=", name)
              .where("version", "=", version),
          ),
        )
        .executeTakeFirstOrThrow();
      requireRow(`version ${version} of "${name}"`, numUpdatedRows);
    },
  };
}

function toRecord(row: Selectable<ModelsTable>): ModelRecord {
  return {
    name: row.name,
    channel: row.channel,
    currentVersion: row.currentVersion,
    releasedVersion: row.releasedVersion,
    releasedAt: row.releasedAt,
    parameters: fromJson(row.parameters),
    parameterCount: row.parameterCount,
    graph: blobRef(row.graphDigest, row.graphSizeBytes),
    trainingGraph:
      row.trainingGraphDigest === null
        ? null
        : blobRef(row.trainingGraphDigest, row.trainingGraphSizeBytes ?? 0),
    format: row.format ?? "onnx",
    inputs: fromJson(row.inputs),
    outputs: fromJson(row.outputs),
    labels: row.labels === null ? null : fromJson(row.labels),
    processing: row.processing === null ? null : fromJson(row.processing),
    explanation: row.explanation === null ? null : fromJson(row.explanation),
    personalisation: row.personalisation === null ? null : fromJson(row.personalisation),
    variants: row.variants === null ? [] : fromJson(row.variants),
    createdAt: row.createdAt,
  };
}
