import type { Client } from "openapi-fetch";
import { answered, json, noContent, type CallOptions } from "./calling.ts";
import type { paths } from "./generated/api.ts";
import type { PolicyDecisionView, PolicyInput, PolicyView } from "./views.ts";

export interface PolicyDecisionsOptions extends CallOptions {
  readonly policy?: string | undefined;
  /** At most this many, 1 to 500. @defaultValue 50 */
  readonly limit?: number | undefined;
}

/** What is decided without an operator. */
export interface PoliciesApi {
  /** By name. */
  policies(options?: CallOptions): Promise<readonly PolicyView[]>;
  policy(name: string, options?: CallOptions): Promise<PolicyView>;
  /** Adds a policy, or changes the one of its name. */
  setPolicy(policy: PolicyInput, options?: CallOptions): Promise<PolicyView>;
  removePolicy(name: string, options?: CallOptions): Promise<void>;
  /** Newest first, of a policy or of all. */
  policyDecisions(options?: PolicyDecisionsOptions): Promise<readonly PolicyDecisionView[]>;
}

type PolicyBody = paths["/v1/policies/{policy}"]["put"]["requestBody"]["content"]["application/json"];

export function policiesApi(http: Client<paths>): PoliciesApi {
  return {
    policies: async (call) =>
      (await answered("GET /v1/policies", call, () => http.GET("/v1/policies", { ...json(call) }))).policies,
    policy: (policy, call) =>
      answered(`GET /v1/policies/${policy}`, call, () =>
        http.GET("/v1/policies/{policy}", { params: { path: { policy } }, ...json(call) }),
      ),
    setPolicy: (policy, call) =>
      answered(`PUT /v1/policies/${policy.name}`, call, () =>
        http.PUT("/v1/policies/{policy}", {
          params: { path: { policy: policy.name } },
          // What is left out is as by default.
          body: policy as PolicyBody,
          ...json(call),
        }),
      ),
    async removePolicy(policy, call) {
      await answered(`DELETE /v1/policies/${policy}`, call, async () =>
        noContent(
          await http.DELETE("/v1/policies/{policy}", { params: { path: { policy } }, ...json(call) }),
        ),
      );
    },
    policyDecisions: async ({ policy, limit = 50, ...call } = {}) =>
      (
        await answered("GET /v1/policy-decisions", call, () =>
          http.GET("/v1/policy-decisions", {
            params: { query: { limit, ...(policy && { policy }) } },
            ...json(call),
          }),
        )
      ).decisions,
  };
}
