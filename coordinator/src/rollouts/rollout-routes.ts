import {
  ModelNameSchema,
  ModelVersionSchema,
  RolloutChange,
  RolloutIdSchema,
  RolloutList,
  RolloutListQuery,
  RolloutSpec,
  RolloutView,
  VersionWithdrawal,
  WithdrawnVersionList,
  WithdrawnVersionView,
} from "@tributary/protocol";
import Type from "typebox";
import { actorOf } from "../access/principal.ts";
import type { App } from "../http/app.ts";
import { bodyCheckedByHandler } from "../http/validators.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { Registry } from "../registry/registry.ts";
import { withdrawalView } from "./rollout-view.ts";
import type { Rollouts } from "./rollouts.ts";

export interface RolloutRouteOptions {
  readonly store: Pick<MetadataStore, "withdrawals">;
  readonly registry: Pick<Registry, "model">;
  readonly rollouts: Rollouts;
}

const tags = ["operator"];
const security = [{ operator: [] }];
const ofModel = Type.Object({ model: ModelNameSchema });
const ofRollout = Type.Object({ model: ModelNameSchema, rollout: RolloutIdSchema });

/** Rollouts of versions, and versions that are withdrawn. */
export function registerRolloutRoutes(app: App, { store, registry, rollouts }: RolloutRouteOptions): void {
  app.get(
    "/v1/models/:model/rollouts",
    {
      schema: {
        summary:
          "Rollouts of a model, newest first, with what their gates find of treated and control devices",
        tags,
        params: ofModel,
        querystring: RolloutListQuery,
        response: { 200: RolloutList },
      },
    },
    ({ params, query }) => rollouts.list(params.model, query),
  );

  app.post(
    "/v1/models/:model/rollouts",
    {
      // Checked by parseRolloutSpec, which fills in the defaults and names the field that is wrong.
      schema: {
        summary:
          "Start a rollout: versions reach a channel's devices in steps, and are taken back where they do worse",
        tags,
        security,
        params: ofModel,
        body: RolloutSpec,
        response: { 201: RolloutView },
      },
      validatorCompiler: bodyCheckedByHandler,
    },
    async (request, reply) =>
      reply.status(201).send(await rollouts.start(request.params.model, request.body, actorOf(request))),
  );

  app.get(
    "/v1/models/:model/rollouts/:rollout",
    {
      schema: { summary: "One rollout", tags, params: ofRollout, response: { 200: RolloutView } },
    },
    ({ params }) => rollouts.get(params.model, params.rollout),
  );

  app.post(
    "/v1/models/:model/rollouts/:rollout/state",
    {
      schema: {
        summary: "Pause a rollout, let it go on, end it, take it back, or release one of its arms",
        tags,
        security,
        params: ofRollout,
        body: RolloutChange,
        response: { 200: RolloutView },
      },
    },
    (request) => {
      const { model, rollout } = request.params;
      return rollouts.change(model, rollout, request.body, actorOf(request));
    },
  );

  app.get(
    "/v1/models/:model/withdrawals",
    {
      schema: {
        summary: "Versions that no device runs any more, newest first",
        tags,
        params: ofModel,
        response: { 200: WithdrawnVersionList },
      },
    },
    async ({ params }) => {
      const { name } = await registry.model(params.model);
      return { withdrawals: (await store.withdrawals.list(name)).map(withdrawalView) };
    },
  );

  app.post(
    "/v1/models/:model/versions/:version/withdrawal",
    {
      schema: {
        summary:
          "Withdraw a version: no device runs it any more, channels on it go back to the last good one, and it is offered to none again",
        tags,
        security,
        params: Type.Object({ model: ModelNameSchema, version: ModelVersionSchema }),
        body: VersionWithdrawal,
        response: { 200: WithdrawnVersionView },
      },
    },
    async (request) => {
      const { model, version } = request.params;
      return withdrawalView(await rollouts.withdraw(model, version, request.body.reason, actorOf(request)));
    },
  );
}
