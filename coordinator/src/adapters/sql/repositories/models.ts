import { STABLE_CHANNEL } from "@tributary/protocol";
import type { Selectable } from "kysely";
import type { ModelRepository } from "../../../ports/model-repositories.ts";
import type { ModelRecord } from "../../../ports/model-records.ts";
import { constrained, requireRow } from "../constraint.ts";
import { blobRef, type Db, fromJson, together } from "../rows.ts";
import type { ModelsTable } from "../schema.ts";

export function modelRepository(db: Db): ModelRepository {
  return {
    async insert(model) {
      await together(db, async (tx) => {
        await constrained(`model "${model.name}"`, () =>
          tx
            .insertInto("models")
            .values({
              name: model.name,
              currentVersion: model.currentVersion,
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
              cardNotes: model.cardNotes && JSON.stringify(model.cardNotes),
              retention: model.retention && JSON.stringify(model.retention),
              createdAt: model.createdAt,
            })
            .execute(),
        );
        const { name, releasedVersion: version, releasedAt } = model;
        await tx
          .insertInto("channels")
          .values({ model: name, name: STABLE_CHANNEL, version, releasedAt })
          .execute();
      });
    },
    async get(name) {
      const row = await withStable(db).where("models.name", "=", name).executeTakeFirst();
      return row && toRecord(row);
    },
    async list() {
      const rows = await withStable(db).orderBy("models.name").execute();
      return rows.map(toRecord);
    },
    async setCardNotes(name, notes) {
      const { numUpdatedRows } = await db
        .updateTable("models")
        .set({ cardNotes: JSON.stringify(notes) })
        .where("name", "=", name)
        .executeTakeFirstOrThrow();
      requireRow(`model "${name}"`, numUpdatedRows);
    },
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
    async setRetention(name, rule) {
      const { numUpdatedRows } = await db
        .updateTable("models")
        .set({ retention: JSON.stringify(rule) })
        .where("name", "=", name)
        .executeTakeFirstOrThrow();
      requireRow(`model "${name}"`, numUpdatedRows);
    },
  };
}

/** Rows with what their channel stable points to. */
function withStable(db: Db) {
  return db
    .selectFrom("models")
    .innerJoin("channels", (join) =>
      join.onRef("channels.model", "=", "models.name").on("channels.name", "=", STABLE_CHANNEL),
    )
    .selectAll("models")
    .select(["channels.version as releasedVersion", "channels.releasedAt as releasedAt"]);
}

type ModelRow = Selectable<ModelsTable> & Pick<ModelRecord, "releasedVersion" | "releasedAt">;

function toRecord(row: ModelRow): ModelRecord {
  return {
    name: row.name,
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
    cardNotes: row.cardNotes === null ? null : fromJson(row.cardNotes),
    retention: row.retention === null ? null : fromJson(row.retention),
    createdAt: row.createdAt,
  };
}
