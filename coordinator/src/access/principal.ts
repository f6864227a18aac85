import type { ModelName } from "@tributary/core";
import {
  ALL_MODELS,
  grantsAllow,
  grantsAllowSomewhere,
  type AccessGrant,
  type AuditActor,
  type PrincipalKind,
  type Right,
} from "@tributary/protocol";
import type { FastifyRequest } from "fastify";

/** Who a request of an operator comes from, and what they may do. */
export interface Principal {
  readonly kind: PrincipalKind;
  /** What the audit log calls them. */
  readonly name: string;
  readonly grants: readonly AccessGrant[];
  /** The account that it is, or that a token is of. */
  readonly account?: string;
  /** Who it is at the identity provider that vouches for it. */
  readonly subject?: string;
  /** Of a browser that signed in. */
  readonly session?: { readonly id: string; readonly csrfToken: string; readonly expiresAt: number };
}

/** Whoever has the file `operator-token` of the data directory. */
export const BOOTSTRAP: Principal = Object.freeze({
  kind: "bootstrap",
  name: "token",
  grants: [{ model: ALL_MODELS, role: "admin" }],
} satisfies Principal);

/** Whoever came without anything, where that is allowed. */
export const ANONYMOUS_VIEWER: Principal = Object.freeze({
  kind: "anonymous",
  name: "anonymous",
  grants: [{ model: ALL_MODELS, role: "viewer" }],
} satisfies Principal);

/** Whether they may, of a model, or, without one, of what belongs to no model. */
export function may(principal: Principal, right: Right, model?: ModelName): boolean {
  return grantsAllow(principal.grants, right, model);
}

/** Whether they may of any model. */
export function maySomewhere(principal: Principal, right: Right): boolean {
  return grantsAllowSomewhere(principal.grants, right);
}

/** The models whose things they see; null: all of them, and what belongs to none. */
export function modelsSeen(principal: Principal | null): readonly ModelName[] | null {
  if (principal === null) return [];
  if (may(principal, "view")) return null;
  const models = principal.grants.flatMap(({ model }) => (model === ALL_MODELS ? [] : [model as ModelName]));
  return models.filter((model) => may(principal, "view", model));
}

/** Whether lists show a model, and what belongs to it, to whoever asks. */
export function sees(request: Pick<FastifyRequest, "principal">, model: ModelName): boolean {
  return request.principal !== null && may(request.principal, "view", model);
}

/** What the audit log is told of a request. */
export function actorOf({ principal }: Pick<FastifyRequest, "principal">): AuditActor {
  if (principal === null) throw new TypeError("access: a route that operators call has no principal");
  return operatorNamed(principal.name, principal.subject);
}

/** @param subject - at the identity provider, where one vouched */
export function operatorNamed(name: string, subject?: string): AuditActor {
  return { kind: "operator", via: "http", name, ...(subject === undefined ? {} : { subject }) };
}
