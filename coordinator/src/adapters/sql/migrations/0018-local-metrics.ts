import type { Kysely } from "kysely";
import type { Migration } from "kysely/migration";
import { rewriteTaskSpecs } from "./rewrite-task-specs.ts";

/** What "all" meant for telemetry before more was counted: what people consented to then. */
const EARLIER_TELEMETRY = ["latency", "errors", "predictions", "confidence", "labels"];

interface Earlier {
  readonly kind?: string;
  readonly telemetry?: readonly string[];
}

/** Tasks of telemetry have a reference for drift. */
export const localMetrics: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await rewriteTaskSpecs(db, (before) => {
      const { kind, telemetry } = before as Earlier;
      const all = kind === "telemetry" && telemetry?.length === 0;
      return { reference: null, ...before, ...(all ? { telemetry: EARLIER_TELEMETRY } : {}) };
    });
  },
};
