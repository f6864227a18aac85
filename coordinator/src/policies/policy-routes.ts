import {
  Policy,
  POLICY_SCHEMA,
  PolicyDecisionList,
  PolicyList,
  PolicyNameSchema,
  PolicyView,
} from "@tributary/protocol";
import Type from "typebox";
import { OPERATOR_BY_HTTP } from "../audit/actors.ts";
import type { App } from "../http/app.ts";
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
        body: Policy,
        response: { 200: PolicyView },
      },
      validatorCompiler: () => () => true,
    },
    ({ params: { policy }, body }) => policies.set(policy, body, OPERATOR_BY_HTTP),
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
    async ({ params: { policy } }, reply) => {
      await policies.remove(policy, OPERATOR_BY_HTTP);
      return reply.status(204).send(null);
    },
  );

  app.get(
    "/v1/policy-decisions",
    {
      schema: {
        summary: "What policies decided, newest first, with the evidence",
        tags,
        querystring: Type.Object({
          policy: Type.Optional(Type.String({ maxLength: 80 })),
          limit: Type.Integer({ minimum: 1, maximum: 500, default: 50 }),
        }),
        response: { 200: PolicyDecisionList },
      },
    },
    async ({ query }) => ({ decisions: await policies.decisions(query) }),
  );

  app.get("/schemas/policy.json", { schema: { hide: true } }, async (_, reply) =>
    reply.type("application/schema+json").send(JSON.stringify(POLICY_SCHEMA)),
  );
}
