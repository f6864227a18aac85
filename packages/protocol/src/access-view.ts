import Type, { type Static } from "typebox";
import { AccessGrant, AccessGrants, MAX_GRANTS } from "./access.ts";
import { nullable, readonlyArray, textEnum, TimestampSchema } from "./schema.ts";

// How operators are seen, and changed, over HTTP.

/** Names that no account has: the audit log has another meaning for them. */
export const RESERVED_ACCOUNT_NAMES: readonly string[] = ["token", "anonymous"];

export const AccountNameSchema = Type.String({
  pattern: "^[a-z0-9][a-z0-9._@-]{0,62}$",
  description: "Lowercase letters, digits and . _ @ -",
});
/** Longer than a password may be: what is too long is refused by its own code. */
const PasswordSchema = Type.String({ minLength: 1, maxLength: 1_024 });
const SomeGrants = readonlyArray(AccessGrant, { minItems: 1, maxItems: MAX_GRANTS });
const closed = { additionalProperties: false } as const;

/** bootstrap: with the token of the data directory; token: with one that was made; identity-provider: signed in there. */
export const PRINCIPAL_KINDS = ["bootstrap", "account", "token", "identity-provider", "anonymous"] as const;
export type PrincipalKind = (typeof PRINCIPAL_KINDS)[number];

/** `GET /v1/session`: who asks, and how one can sign in. */
export const SessionView = Type.Object({
  /** Null: nobody that is known. */
  principal: nullable(
    Type.Object({
      kind: textEnum(PRINCIPAL_KINDS),
      name: Type.String(),
      account: nullable(Type.String()),
      grants: AccessGrants,
    }),
  ),
  /** What a signed-in page sends as `tributary-csrf` with what it changes. */
  csrfToken: nullable(Type.String()),
  expiresAt: nullable(TimestampSchema),
  idleMs: nullable(Type.Integer({ minimum: 0 }), {
    description: "How long the session lasts without use; null: it is none of a browser",
  }),
  signIn: Type.Object({
    password: Type.Boolean({ description: "Whether there are accounts" }),
    /** What the identity provider is called, where there is one; `GET /v1/session/oidc` leads there. */
    identityProvider: nullable(Type.String()),
    setup: Type.Boolean({ description: "Whether a setup link waits for the first admin" }),
  }),
  /** In the answer to signing out alone. */
  providerSignOut: Type.Optional(
    Type.String({ description: "Where the browser signs out at the identity provider too" }),
  ),
});
export type SessionView = Static<typeof SessionView>;

/** `POST /v1/session` */
export const SignIn = Type.Object(
  { name: Type.String({ maxLength: 128 }), password: PasswordSchema },
  closed,
);

/** `POST /v1/setup`: the code of the link that the first start printed, and the first admin. */
export const Setup = Type.Object(
  { code: Type.String({ maxLength: 128 }), name: AccountNameSchema, password: PasswordSchema },
  closed,
);

/** `PUT /v1/session/password`: one's own. */
export const PasswordChange = Type.Object({ current: PasswordSchema, password: PasswordSchema }, closed);

export const OperatorView = Type.Object({
  name: AccountNameSchema,
  grants: AccessGrants,
  createdAt: TimestampSchema,
  passwordChangedAt: TimestampSchema,
});
export type OperatorView = Static<typeof OperatorView>;

/** `GET /v1/operators` */
export const OperatorList = Type.Object({ operators: readonlyArray(OperatorView) });

/** `POST /v1/operators` */
export const NewOperator = Type.Object(
  { name: AccountNameSchema, password: PasswordSchema, grants: SomeGrants },
  closed,
);

/** `PUT /v1/operators/:operator/grants` */
export const GrantsChange = Type.Object({ grants: AccessGrants }, closed);

/** `PUT /v1/operators/:operator/password` */
export const PasswordSet = Type.Object({ password: PasswordSchema }, closed);

export const ApiTokenIdSchema = Type.String({ pattern: "^[0-9a-f]{12}$" });

export const ApiTokenView = Type.Object({
  id: ApiTokenIdSchema,
  label: Type.String(),
  grants: AccessGrants,
  /** Whose it is; null: of a session, or made with the token of the data directory. */
  account: nullable(Type.String()),
  /** The session that it ends with, and whom the identity provider vouched for in it; null: it is of no session. */
  session: nullable(Type.Object({ id: ApiTokenIdSchema, name: Type.String() })),
  createdAt: TimestampSchema,
  /** Null: never. One of a session may end sooner, with the session. */
  expiresAt: nullable(TimestampSchema),
  usedAt: nullable(TimestampSchema),
});
export type ApiTokenView = Static<typeof ApiTokenView>;

/** `GET /v1/api-tokens` */
export const ApiTokenList = Type.Object({ tokens: readonlyArray(ApiTokenView) });

/** `POST /v1/api-tokens` */
export const NewApiToken = Type.Object(
  {
    label: Type.String({ minLength: 1, maxLength: 64, pattern: "^[^\\p{C}/]+$" }),
    grants: SomeGrants,
    /** Null: until it is revoked. Whom an identity provider vouches for has it no longer than their session. */
    days: nullable(Type.Integer({ minimum: 1, maximum: 3_650 }), { default: 90 }),
  },
  closed,
);

/** The token itself is in this answer, and nowhere else afterwards. */
export const ApiTokenCreated = Type.Object({ token: Type.String(), view: ApiTokenView });
export type ApiTokenCreated = Static<typeof ApiTokenCreated>;

/** `POST /v1/login-codes`: whoever is signed in lets a command line act as them. */
export const NewLoginCode = Type.Object(
  {
    challenge: Type.String({
      pattern: "^[\\w-]{43}$",
      description: "Base64url of the SHA-256 of what the command line keeps to itself (RFC 7636, S256)",
    }),
    machine: Type.String({
      minLength: 1,
      maxLength: 58,
      pattern: "^[^\\p{C}/]+$",
      description: "Where the command line is, as it says itself",
    }),
    grants: SomeGrants,
    days: Type.Integer({ minimum: 1, maximum: 365, default: 30 }),
  },
  closed,
);
export type NewLoginCode = Static<typeof NewLoginCode>;

/** Good once, and for a minute. */
export const LoginCode = Type.Object({ code: Type.String() });

/** `POST /v1/login-codes/token`: the code, and what only the command line knows that it was made for. */
export const LoginCodeExchange = Type.Object(
  { code: Type.String({ maxLength: 128 }), verifier: Type.String({ pattern: "^[\\w.~-]{43,128}$" }) },
  closed,
);
export type LoginCodeExchange = Static<typeof LoginCodeExchange>;

export const SignedInView = Type.Object({
  id: ApiTokenIdSchema,
  name: Type.String(),
  identityProvider: Type.Boolean(),
  createdAt: TimestampSchema,
  seenAt: TimestampSchema,
  expiresAt: TimestampSchema,
  address: Type.String(),
  agent: Type.String(),
  /** Whether it is the one that asks. */
  current: Type.Boolean(),
});
export type SignedInView = Static<typeof SignedInView>;

/** `GET /v1/operator-sessions` */
export const SignedInList = Type.Object({ sessions: readonlyArray(SignedInView) });
