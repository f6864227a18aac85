import { failure, type ModelName } from "@tributary/core";
import {
  EstimateParams,
  EstimateRequest,
  EstimateView,
  parseDocument,
  TaskSpec,
  TaskValidation,
} from "@tributary/protocol";
import { may, type Principal } from "../access/principal.ts";
import type { App } from "../http/app.ts";
import { bodyCheckedByHandler } from "../http/validators.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { Registry } from "../registry/registry.ts";
import { estimateJob } from "./estimate-job.ts";
import type { Estimator } from "./estimator.ts";

export interface EstimateRouteOptions {
  readonly registry: Pick<Registry, "checkTask">;
  readonly blobs: Pick<BlobStore, "bytes">;
  readonly estimator: Estimator;
}

const tags = ["operator"];
const security = [{ operator: [] }];

/** What a task would be and cost, before it starts. */
export function registerEstimateRoutes(app: App, { registry, blobs, estimator }: EstimateRouteOptions): void {
  app.post(
    "/v1/tasks/validation",
    {
      // Checked by parseTaskSpec, which fills in the defaults and names the field that is wrong.
      config: { of: "body" },
      schema: {
        summary: "Check a task's document as its creation would, and create nothing",
        tags,
        security,
        body: TaskSpec,
        response: { 200: TaskValidation },
      },
      validatorCompiler: bodyCheckedByHandler,
    },
    async ({ body }) => ({ spec: (await registry.checkTask(body)).spec }),
  );

  app.post(
    "/v1/tasks/estimate",
    {
      config: { of: "any", problems: [404] },
      // The task is checked as above; the rest below, where its defaults are filled in.
      schema: {
        summary: "Simulate a task's rounds before it starts: what it would take and cost",
        description:
          "Answers at once; read the estimate by its id until its state is done, failed or cancelled. One is simulated at a time.",
        tags,
        security,
        body: EstimateRequest,
        response: { 202: EstimateView },
      },
      validatorCompiler: bodyCheckedByHandler,
    },
    async ({ body, principal }, reply) => {
      const { task, ...rest } = { task: undefined, ...(body as object | null) };
      requireOperator(principal, (task as { readonly model?: unknown } | null | undefined)?.model);
      const checked = await registry.checkTask(task, { isNew: false });
      const request = parseDocument(
        "estimate",
        EstimateRequest,
        { ...rest, task: checked.spec },
        { defaults: true },
      );
      const job = await estimateJob(blobs, checked, request);
      return reply.status(202).send(estimator.start(job));
    },
  );

  app.get(
    "/v1/estimates/:id",
    {
      // Nobody guesses an id.
      config: { of: "any" },
      schema: {
        summary: "An estimate: how far it is, or what it says",
        tags,
        params: EstimateParams,
        response: { 200: EstimateView },
      },
    },
    async ({ params }, reply) => reply.header("cache-control", "no-store").send(estimator.get(params.id)),
  );

  app.delete(
    "/v1/estimates/:id",
    {
      config: { of: "any" },
      schema: {
        summary: "Cancel an estimate",
        tags,
        security,
        params: EstimateParams,
        response: { 200: EstimateView },
      },
    },
    async ({ params }) => estimator.cancel(params.id),
  );
}

/** A task is estimated by whoever could create it. @throws `identity/forbidden` */
function requireOperator(principal: Principal | null, model: unknown): void {
  if (principal === null || may(principal, "operate")) return;
  if (typeof model === "string" && may(principal, "operate", model as ModelName)) return;
  throw failure(
    "identity/forbidden",
    `estimates: ${principal.name} may not operate the task's model; ask an admin for a role that may`,
    { detail: { needs: "operate" } },
  );
}
