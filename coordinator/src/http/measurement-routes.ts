import {
  DriftHistory,
  DriftHistoryQuery,
  MeasurementList,
  MeasurementListQuery,
  TaskNameSchema,
} from "@tributary/protocol";
import Type from "typebox";
import type { BlobStore } from "../ports/blob-store.ts";
import { LISTS } from "../pages/lists.ts";
import type { Page, PageAsked } from "../pages/read-page.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { MeasurementRecord, TaskRecord } from "../ports/task-records.ts";
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
  const measurementsOf = ({ name }: TaskRecord, asked: PageAsked): Promise<Page<MeasurementRecord>> =>
    LISTS.measurements(asked, (page) => store.measurements.list(name, page));

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
      const { rows, next } = await measurementsOf(task, query);
      return { measurements: rows.map((record) => measurementView(record, reference)), next };
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
      const told = { name: task.name, model: await registry.model(task.model) };
      const page = await measurementsOf(task, query);
      // Of what else a task measures nothing drifts.
      const { rows, next } = task.spec.kind === "telemetry" ? page : { rows: [], next: null };
      return { ...driftHistory(told, rows, reference), next };
    },
  );
}
