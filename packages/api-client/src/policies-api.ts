import type { Client } from "openapi-fetch";
import { answered, json, noContent, type CallOptions } from "./calling.ts";
import type { paths } from "./generated/api.ts";
import { pageQuery, type PageOptions } from "./pages.ts";
import type { PolicyDecisionPage, PolicyInput, PolicyView } from "./views.ts";

export interface PolicyDecisionsOptions extends PageOptions {
  readonly policy?: string | undefined;
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
  policyDecisions(options?: PolicyDecisionsOptions): Promise<PolicyDecisionPage>;
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
    policyDecisions: ({ policy, ...options } = {}) =>
      answered("GET /v1/policy-decisions", options, () =>
        http.GET("/v1/policy-decisions", {
          params: { query: { ...pageQuery(options, 50), ...(policy && { policy }) } },
          ...json(options),
        }),
      ),
  };
}
