import { failure } from "@tributary/core";
import { ModelNameSchema, ModelVersionSchema, ReproductionView, VersionFiles } from "@tributary/protocol";
import Type from "typebox";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { Registry } from "../registry/registry.ts";
import type { Reproducer } from "../registry/reproducer.ts";
import { versionStep } from "../registry/version-step.ts";
import { versionView } from "../registry/views.ts";
import type { App } from "./app.ts";

const params = Type.Object({ model: ModelNameSchema, version: ModelVersionSchema });
const common = { tags: ["operator"], params };

export interface VersionRoutesOptions {
  readonly store: MetadataStore;
  readonly registry: Pick<Registry, "model">;
  readonly reproducer: Pick<Reproducer, "reproduce">;
}

/** What a version consists of, and whether it can be made again. */
export function registerVersionRoutes(app: App, { store, registry, reproducer }: VersionRoutesOptions): void {
  app.get(
    "/v1/models/:model/versions/:version/files",
    {
      schema: {
        summary: "Everything that a version consists of, and how it came from its parent, by digest",
        ...common,
        response: { 200: VersionFiles },
      },
    },
    async ({ params: { model: name, version: number } }): Promise<VersionFiles> => {
      const model = await registry.model(name);
      const version = await store.versions.get(name, number);
      if (version === undefined)
        throw failure("coordinator/unknown-version", `registry: "${name}" has no version ${number}`, {
          detail: { model: name, version: number },
        });
      const step = await versionStep(store, model, version);
      const { format, inputs, outputs, labels, processing, parameters, trainingGraph } = model;
      const { graph, weights, int8, variants } = version;
      return {
        version: versionView(version),
        format,
        inputs,
        outputs,
        labels,
        processing,
        parameters,
        graph,
        trainingGraph,
        weights,
        int8,
        variants,
        step: "why" in step ? null : step,
        missing: "why" in step ? [step] : [],
      };
    },
  );

  app.post(
    "/v1/models/:model/versions/:version/reproduction",
    {
      schema: {
        summary: "Take the step that made a version again, from what is kept of it, and compare bit for bit",
        security: [{ operator: [] }],
        ...common,
        response: { 200: ReproductionView },
      },
    },
    ({ params: { model, version } }) => reproducer.reproduce(model, version),
  );
}
