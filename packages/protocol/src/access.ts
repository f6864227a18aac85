import Type, { type Static } from "typebox";
import { ModelNameSchema, readonlyArray, textEnum } from "./schema.ts";

// Who may do what as an operator. Devices have their certificates, and none of this.

/** With what a signed-in page changes. */
export const CSRF_HEADER = "tributary-csrf";

/** What can be allowed. */
export const RIGHTS = ["view", "operate", "administer", "audit"] as const;
export type Right = (typeof RIGHTS)[number];

/** What operators are, of all models or of some. */
export const ROLES = ["viewer", "operator", "admin", "auditor"] as const;
export type Role = (typeof ROLES)[number];

/** An auditor reads what a viewer reads, and the audit log; nothing that it does changes anything. */
export const ROLE_RIGHTS: Readonly<Record<Role, readonly Right[]>> = Object.freeze({
  viewer: ["view"],
  operator: ["view", "operate"],
  admin: RIGHTS,
  auditor: ["view", "audit"],
});

/** All models, those to come included. */
export const ALL_MODELS = "*";

export const RoleSchema = textEnum(ROLES, {
  description:
    "viewer reads, operator changes, admin gives access and sets keys, auditor reads the audit log",
});

/** A role, of one model or of all. */
export const AccessGrant = Type.Object(
  {
    model: Type.Union([Type.Literal(ALL_MODELS), ModelNameSchema], {
      description: "A model's name, or * for all models and what belongs to none",
    }),
    role: RoleSchema,
  },
  { additionalProperties: false },
);
export type AccessGrant = Static<typeof AccessGrant>;

/** At most so many of an account or of a token. */
export const MAX_GRANTS = 64;

export const AccessGrants = readonlyArray(AccessGrant, { maxItems: MAX_GRANTS });

/** Whether one of the grants allows it: of a model, or, without one, of what belongs to no model. */
export function grantsAllow(
  grants: readonly AccessGrant[],
  right: Right,
  model: string = ALL_MODELS,
): boolean {
  return grants.some(
    (grant) =>
      (grant.model === ALL_MODELS || grant.model === model) && ROLE_RIGHTS[grant.role].includes(right),
  );
}

/** Whether they allow it anywhere: of any model. */
export function grantsAllowSomewhere(grants: readonly AccessGrant[], right: Right): boolean {
  return grants.some(({ role }) => ROLE_RIGHTS[role].includes(right));
}
