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
import { actorOf } from "../access/principal.ts";
import type { App } from "../http/app.ts";
import { bodyCheckedByHandler } from "../http/validators.ts";
import { namedByPath } from "../http/named-by-path.ts";
import type { Policies } from "./policies.ts";

const tags = ["policies"];
const security = [{ operator: [] }];
const params = Type.Object({ policy: PolicyNameSchema });

/** What is decided without an operator. */
export function registerPolicyRoutes(app: App, policies: Policies): void {
  app.get(
    "/v1/policies",
    {
      schema: {
        summary: "Policies, by name, with whether each may decide now",
        tags,
        response: { 200: PolicyList },
      },
    },
    async () => ({ policies: await policies.list() }),
  );

  app.get(
    "/v1/policies/:policy",
    { schema: { summary: "One policy", tags, params, response: { 200: PolicyView } } },
    ({ params: { policy } }) => policies.get(policy),
  );

  app.put(
    "/v1/policies/:policy",
    {
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
    (request) => policies.set(request.params.policy, request.body, actorOf(request)),
  );

  app.delete(
    "/v1/policies/:policy",
    {
      schema: {
        summary: "Remove a policy; what it decided stays",
        tags,
        security,
        params,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await policies.remove(request.params.policy, actorOf(request));
      return reply.status(204).send(null);
    },
  );

  app.get(
    "/v1/policy-decisions",
    {
      schema: {
        summary: "What policies decided, newest first, with the evidence",
        tags,
        querystring: PolicyDecisionQuery,
        response: { 200: PolicyDecisionList },
      },
    },
    ({ query }) => policies.decisions(query),
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
