import {
  DriftHistory,
  DriftHistoryQuery,
  MeasurementList,
  MeasurementListQuery,
  TaskNameSchema,
} from "@tributary/protocol";
import Type from "typebox";
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { driftReference } from "../registry/drift-reference.ts";
import type { Registry } from "../registry/registry.ts";
import { driftHistory } from "../registry/drift-history.ts";
import { measurementView } from "../registry/measurement-view.ts";
import type { App } from "./app.ts";

export interface MeasurementRouteOptions {
  readonly store: Pick<MetadataStore, "measurements">;
  readonly blobs: Pick<BlobStore, "bytes">;
  readonly registry: Pick<Registry, "task" | "model">;
}

const tags = ["operator"];

/** What devices measured. */
export function registerMeasurementRoutes(app: App, options: MeasurementRouteOptions): void {
  const { store, registry } = options;
  app.get(
    "/v1/tasks/:task/measurements",
    {
      schema: {
        summary: "What the devices of a task measured, round by round, newest first: sums over each cohort",
        tags,
        params: Type.Object({ task: TaskNameSchema }),
        querystring: MeasurementListQuery,
        response: { 200: MeasurementList },
      },
    },
    async ({ params, query }) => {
      const task = await registry.task(params.task);
      const reference = await driftReference(options, task);
      const measurements = await store.measurements.list(task.name, query);
      return { measurements: measurements.map((record) => measurementView(record, reference)) };
    },
  );

  app.get(
    "/v1/tasks/:task/drift",
    {
      schema: {
        summary:
          "How what devices of a task tell of their data moved away from its reference, measurement by measurement",
        tags,
        params: Type.Object({ task: TaskNameSchema }),
        querystring: DriftHistoryQuery,
        response: { 200: DriftHistory },
      },
    },
    async ({ params, query }) => {
      const task = await registry.task(params.task);
      const reference = await driftReference(options, task);
      const records = await store.measurements.list(task.name, query);
      const told = { name: task.name, model: await registry.model(task.model) };
      // Of what else a task measures nothing drifts.
      const measured = task.spec.kind === "telemetry" ? records.toReversed() : [];
      return driftHistory(told, measured, reference);
    },
  );
}
