import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

/** The tables of the first release. A migration that shipped is never edited; the next one changes it. */
export const spine: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("models")
      .addColumn("name", "text", (c) => c.primaryKey())
      .addColumn("channel", "text", (c) => c.notNull())
      .addColumn("currentVersion", "integer", (c) => c.notNull())
      .addColumn("parameters", "text", (c) => c.notNull())
      .addColumn("parameterCount", "integer", (c) => c.notNull())
      .addColumn("graphDigest", "text", (c) => c.notNull())
      .addColumn("graphSizeBytes", "integer", (c) => c.notNull())
      .addColumn("input", "text", (c) => c.notNull())
      .addColumn("output", "text", (c) => c.notNull())
      .addColumn("labels", "text")
      .addColumn("createdAt", "bigint", (c) => c.notNull())
      .execute();

    await db.schema
      .createTable("tasks")
      .addColumn("name", "text", (c) => c.primaryKey())
      .addColumn("model", "text", (c) => c.notNull().references("models.name"))
      .addColumn("population", "text", (c) => c.notNull())
      .addColumn("state", "text", (c) => c.notNull())
      .addColumn("spec", "text", (c) => c.notNull())
      .addColumn("planNumber", "integer", (c) => c.notNull())
      .addColumn("planTarget", "text", (c) => c.notNull())
      .addColumn("planDigest", "text", (c) => c.notNull())
      .addColumn("planSizeBytes", "integer", (c) => c.notNull())
      .addColumn("createdAt", "bigint", (c) => c.notNull())
      .execute();

    await db.schema
      .createTable("rounds")
      .addColumn("id", "text", (c) => c.primaryKey())
      .addColumn("task", "text", (c) => c.notNull().references("tasks.name"))
      .addColumn("model", "text", (c) => c.notNull().references("models.name"))
      .addColumn("number", "integer", (c) => c.notNull())
      .addColumn("phase", "text", (c) => c.notNull())
      .addColumn("baseVersion", "integer", (c) => c.notNull())
      .addColumn("version", "integer")
      .addColumn("startedAt", "bigint", (c) => c.notNull())
      .addColumn("endedAt", "bigint")
      .addColumn("deadlineAt", "bigint")
      .addColumn("offered", "integer", (c) => c.notNull())
      .addColumn("ready", "integer", (c) => c.notNull())
      .addColumn("cohort", "integer", (c) => c.notNull())
      .addColumn("reported", "integer", (c) => c.notNull())
      .addColumn("dropouts", "integer", (c) => c.notNull())
      .addColumn("refused", "integer", (c) => c.notNull())
      .addColumn("numExamples", "bigint", (c) => c.notNull())
      .addColumn("trainLoss", "double precision")
      .addColumn("trainAccuracy", "double precision")
      .addColumn("loss", "double precision")
      .addColumn("accuracy", "double precision")
      .addColumn("bytesUp", "bigint", (c) => c.notNull())
      .addColumn("bytesDown", "bigint", (c) => c.notNull())
      .addColumn("seconds", "double precision")
      .addColumn("reason", "text")
      .addColumn("config", "text", (c) => c.notNull())
      .addUniqueConstraint("rounds_task_number", ["task", "number"])
      .execute();
    await db.schema
      .createIndex("rounds_open")
      .on("rounds")
      .column("startedAt")
      .where(sql.ref("ended_at"), "is", null)
      .execute();

    await db.schema
      .createTable("versions")
      .addColumn("model", "text", (c) => c.notNull().references("models.name"))
      .addColumn("version", "integer", (c) => c.notNull())
      .addColumn("parentVersion", "integer")
      .addColumn("roundId", "text", (c) => c.unique().references("rounds.id"))
      .addColumn("createdAt", "bigint", (c) => c.notNull())
      .addColumn("graphDigest", "text", (c) => c.notNull())
      .addColumn("graphSizeBytes", "integer", (c) => c.notNull())
      .addColumn("weightsDigest", "text", (c) => c.notNull())
      .addColumn("weightsSizeBytes", "bigint", (c) => c.notNull())
      .addColumn("int8Digest", "text", (c) => c.notNull())
      .addColumn("int8SizeBytes", "bigint", (c) => c.notNull())
      .addColumn("parameterCount", "integer", (c) => c.notNull())
      .addColumn("loss", "double precision")
      .addColumn("accuracy", "double precision")
      .addColumn("cohort", "integer", (c) => c.notNull())
      .addColumn("numExamples", "bigint", (c) => c.notNull())
      .addPrimaryKeyConstraint("versions_pk", ["model", "version"])
      .addForeignKeyConstraint("versions_parent", ["model", "parentVersion"], "versions", [
        "model",
        "version",
      ])
      .execute();

    await db.schema
      .createTable("roundInputs")
      .addColumn("roundId", "text", (c) => c.notNull().references("rounds.id"))
      .addColumn("sequence", "integer", (c) => c.notNull())
      .addColumn("at", "bigint", (c) => c.notNull())
      .addColumn("input", "text", (c) => c.notNull())
      .addPrimaryKeyConstraint("round_inputs_pk", ["roundId", "sequence"])
      .execute();

    await db.schema
      .createTable("tufMetadata")
      .addColumn("role", "text", (c) => c.notNull())
      .addColumn("version", "integer", (c) => c.notNull())
      .addColumn("bytes", "blob", (c) => c.notNull())
      .addPrimaryKeyConstraint("tuf_metadata_pk", ["role", "version"])
      .execute();

    await db.schema
      .createTable("targets")
      .addColumn("path", "text", (c) => c.primaryKey())
      .addColumn("digest", "text", (c) => c.notNull())
      .addColumn("sizeBytes", "bigint", (c) => c.notNull())
      .addColumn("custom", "text")
      .execute();

    await db.schema
      .createTable("releasedBlobs")
      .addColumn("digest", "text", (c) => c.primaryKey())
      .addColumn("sizeBytes", "bigint", (c) => c.notNull())
      .execute();

    await db.schema
      .createTable("devices")
      .addColumn("deviceId", "text", (c) => c.primaryKey())
      .addColumn("population", "text", (c) => c.notNull())
      .addColumn("publicKey", "blob", (c) => c.notNull())
      .addColumn("state", "text", (c) => c.notNull())
      .addColumn("enrolledAt", "bigint", (c) => c.notNull())
      .addColumn("certificateSerial", "text", (c) => c.notNull())
      .addColumn("certificateExpiresAt", "bigint", (c) => c.notNull())
      .addColumn("lastSeenAt", "bigint")
      .execute();
    await db.schema
      .createIndex("devices_population")
      .on("devices")
      .columns(["population", "deviceId"])
      .execute();

    await db.schema
      .createTable("tokenUses")
      .addColumn("tokenId", "text", (c) => c.notNull())
      .addColumn("deviceId", "text", (c) => c.notNull())
      .addColumn("at", "bigint", (c) => c.notNull())
      .addColumn("expiresAt", "bigint", (c) => c.notNull())
      .addPrimaryKeyConstraint("token_uses_pk", ["tokenId", "deviceId"])
      .execute();

    await db.schema
      .createTable("refusals")
      .addColumn("id", "integer", (c) => c.primaryKey().autoIncrement())
      .addColumn("deviceId", "text", (c) => c.notNull())
      .addColumn("roundId", "text", (c) => c.notNull())
      .addColumn("code", "text", (c) => c.notNull())
      .addColumn("detail", "text", (c) => c.notNull())
      .addColumn("at", "bigint", (c) => c.notNull())
      .execute();
    await db.schema.createIndex("refusals_device").on("refusals").columns(["deviceId", "at"]).execute();
    await db.schema.createIndex("refusals_round").on("refusals").column("roundId").execute();

    await db.schema
      .createTable("optimizers")
      .addColumn("task", "text", (c) => c.primaryKey().references("tasks.name"))
      .addColumn("version", "integer", (c) => c.notNull())
      .addColumn("state", "blob", (c) => c.notNull())
      .execute();

    await db.schema
      .createTable("events")
      .addColumn("id", "integer", (c) => c.primaryKey().autoIncrement())
      .addColumn("type", "text", (c) => c.notNull())
      .addColumn("data", "text", (c) => c.notNull())
      .addColumn("at", "bigint", (c) => c.notNull())
      .execute();

    await db.schema
      .createTable("settings")
      .addColumn("key", "text", (c) => c.primaryKey())
      .addColumn("value", "text", (c) => c.notNull())
      .execute();
  },
};
