import {
  MeasurementList,
  MeasurementListQuery,
  ModelNameSchema,
  ReleaseRequest,
  TaskNameSchema,
  VersionView,
} from "@tributary/protocol";
import Type from "typebox";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { Registry } from "../registry/registry.ts";
import { measurementView } from "../registry/measurement-view.ts";
import { versionView } from "../registry/views.ts";
import type { App } from "./app.ts";

export interface MeasurementRouteOptions {
  readonly store: Pick<MetadataStore, "measurements">;
  readonly registry: Pick<Registry, "task" | "release">;
}

const tags = ["operator"];

/** What devices measured, and releasing a version. */
export function registerMeasurementRoutes(app: App, { store, registry }: MeasurementRouteOptions): void {
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
      const { name } = await registry.task(params.task);
      return { measurements: (await store.measurements.list(name, query)).map(measurementView) };
    },
  );

  app.post(
    "/v1/models/:model/release",
    {
      schema: {
        summary: "Move the model's channel to a version: inference devices run it from here on",
        tags,
        security: [{ operator: [] }],
        params: Type.Object({ model: ModelNameSchema }),
        body: ReleaseRequest,
        response: { 200: VersionView },
      },
    },
    async ({ params, body }) => versionView(await registry.release(params.model, body.version)),
  );
}
