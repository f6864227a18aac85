import {
  Policy,
  POLICY_SCHEMA,
  PolicyDecisionList,
  PolicyDecisionQuery,
  PolicyList,
  PolicyNameSchema,
  PolicyView,
} from "@tributary/protocol";
import Type from "typebox";
import type { FastifyRequest } from "fastify";
import { actorOf } from "../access/principal.ts";
import { subjectScope } from "../access/subject-scope.ts";
import type { App } from "../http/app.ts";
import { bodyCheckedByHandler } from "../http/validators.ts";
import { namedByPath } from "../http/named-by-path.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { Policies } from "./policies.ts";

const tags = ["policies"];
const security = [{ operator: [] }];
const params = Type.Object({ policy: PolicyNameSchema });

/** One shows what the caller sees, and changes what they operate. */
const config = { of: "any" } as const;

/** What is decided without an operator, of the models that whoever asks sees. */
export function registerPolicyRoutes(
  app: App,
  { policies, store }: { readonly policies: Policies; readonly store: Pick<MetadataStore, "tasks"> },
): void {
  const scopeOf = ({ principal }: Pick<FastifyRequest, "principal">) => subjectScope(principal, store);

  app.get(
    "/v1/policies",
    {
      config,
      schema: {
        summary: "Policies, by name, with whether each may decide now",
        tags,
        response: { 200: PolicyList },
      },
    },
    async (request) => ({ policies: await policies.list(await scopeOf(request)) }),
  );

  app.get(
    "/v1/policies/:policy",
    { config, schema: { summary: "One policy", tags, params, response: { 200: PolicyView } } },
    async (request) => policies.get(request.params.policy, await scopeOf(request)),
  );

  app.put(
    "/v1/policies/:policy",
    {
      config,
      // Checked by parsePolicy, which fills in the defaults and names the field that is wrong.
      schema: {
        summary: 'Add a policy, or change one; "enabled": false stops it at once',
        tags,
        security,
        params,
        body: namedByPath(Policy),
        response: { 200: PolicyView },
      },
      validatorCompiler: bodyCheckedByHandler,
    },
    async (request) =>
      policies.set(request.params.policy, request.body, actorOf(request), await scopeOf(request)),
  );

  app.delete(
    "/v1/policies/:policy",
    {
      config,
      schema: {
        summary: "Remove a policy; what it decided stays",
        tags,
        security,
        params,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await policies.remove(request.params.policy, actorOf(request), await scopeOf(request));
      return reply.status(204).send(null);
    },
  );

  app.get(
    "/v1/policy-decisions",
    {
      config,
      schema: {
        summary: "What policies decided, newest first, with the evidence",
        tags,
        querystring: PolicyDecisionQuery,
        response: { 200: PolicyDecisionList },
      },
    },
    async (request) => policies.decisions(request.query, await scopeOf(request)),
  );

  app.get(
    "/schemas/policy.json",
    {
      config: { audience: "public" },
      schema: {
        summary: "The JSON Schema of a policy",
        tags: ["documents"],
        produces: ["application/schema+json"],
      },
    },
    async (_, reply) => reply.type("application/schema+json").send(JSON.stringify(POLICY_SCHEMA)),
  );
}
