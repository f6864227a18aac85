import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";
import { rewriteTaskSpecs } from "./rewrite-task-specs.ts";

/** What "all" meant for telemetry before more was counted: what people consented to then. */
const EARLIER_TELEMETRY = ["latency", "errors", "predictions", "confidence", "labels"];

interface Earlier {
  readonly kind?: string;
  readonly telemetry?: readonly string[];
}

/** Tasks of telemetry have a reference for drift; devices may tell how they fare. */
export const localMetrics: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable("deviceHealth")
      .addColumn("deviceId", "text", (c) => c.notNull())
      .addColumn("model", "text", (c) => c.notNull().references("models.name"))
      .addColumn("version", "integer", (c) => c.notNull())
      .addColumn("population", "text", (c) => c.notNull())
      .addColumn("engine", "text", (c) => c.notNull())
      .addColumn("counts", "text", (c) => c.notNull())
      .addColumn("sessions", "text", (c) => c.notNull())
      .addColumn("firstAt", "bigint", (c) => c.notNull())
      .addColumn("at", "bigint", (c) => c.notNull())
      .addPrimaryKeyConstraint("device_health_key", ["model", "version", "deviceId"] as never)
      .execute();
    await db.schema.createIndex("device_health_device").on("deviceHealth").column("deviceId").execute();
    await db.schema.createIndex("device_health_at").on("deviceHealth").column("at").execute();
    await rewriteTaskSpecs(db, (before) => {
      const { kind, telemetry } = before as Earlier;
      const all = kind === "telemetry" && telemetry?.length === 0;
      return { reference: null, ...before, ...(all ? { telemetry: EARLIER_TELEMETRY } : {}) };
    });
  },
};
