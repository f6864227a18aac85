import Type, { type Static } from "typebox";
import { ModelNameSchema, nullable, readonlyArray, TimestampSchema } from "./schema.ts";

const Count = Type.Integer({ minimum: 0 });
const KeyId = Type.String({ pattern: "^[0-9a-f]{64}$" });

/** A public key as TUF metadata lists it (spec 4.2). */
export const PublicKeyBody = Type.Object(
  {
    keyType: Type.String({ maxLength: 64 }),
    scheme: Type.Union([
      Type.Literal("ed25519"),
      Type.Literal("ecdsa-sha2-nistp256"),
      Type.Literal("rsassa-pss-sha256"),
    ]),
    /** Hexadecimal of Ed25519, PEM of the others. */
    public: Type.String({ minLength: 1, maxLength: 4_096 }),
  },
  { additionalProperties: false },
);
export type PublicKeyBody = Static<typeof PublicKeyBody>;

/** Who signs a role of the release, and until when it is signed. */
export const KeyRoleView = Type.Object({
  role: Type.String(),
  /** Whose releases and plans, or versions of rounds, it signs; null of the top-level roles. */
  model: nullable(ModelNameSchema),
  /** The coordinator signs it by itself at any time, so that its keys have to be there. */
  online: Type.Boolean(),
  /** How many of the keys have to sign. */
  threshold: Type.Integer({ minimum: 1 }),
  keys: readonlyArray(
    Type.Object({
      keyId: KeyId,
      scheme: Type.String(),
      /** Whether the coordinator can sign with it. */
      here: Type.Boolean(),
    }),
  ),
  /** Of the newest signed metadata; null before the first. */
  version: nullable(Count),
  expiresAt: nullable(TimestampSchema),
  /** Whole days from now; below 0 it has expired. */
  expiresInDays: nullable(Type.Integer()),
  /** The next version, which waits for signatures of keys that are not here. */
  waiting: nullable(
    Type.Object({
      version: Type.Integer({ minimum: 1 }),
      /** "renewal": it says what is signed already, and expires later. */
      reason: Type.Union([Type.Literal("renewal"), Type.Literal("change")]),
      /** Signatures of the role's keys; of a root also of the keys before. */
      signatures: readonlyArray(Type.Object({ have: Count, need: Count })),
    }),
  ),
});
export type KeyRoleView = Static<typeof KeyRoleView>;

/** `GET /v1/keys` */
export const KeyRoleList = Type.Object({ roles: readonlyArray(KeyRoleView) });

/** `PUT /v1/keys/:role`: what is left out stays. */
export const KeyRoleChange = Type.Object(
  {
    keys: Type.Optional(readonlyArray(PublicKeyBody, { minItems: 1, maxItems: 32 })),
    threshold: Type.Optional(Type.Integer({ minimum: 1, maximum: 32 })),
  },
  { additionalProperties: false },
);

/** `GET /v1/keys/:role/keys`: as they would stand in a change. */
export const PublicKeyList = Type.Object({ keys: readonlyArray(PublicKeyBody) });

/** `GET /v1/keys/:role/draft` */
export const DraftView = Type.Object({
  role: Type.String(),
  version: Type.Integer({ minimum: 1 }),
  /** The metadata file with the signatures so far, as text. */
  file: Type.String(),
});
export type DraftView = Static<typeof DraftView>;

/** `POST /v1/keys/:role/signatures`: a copy of the draft with more signatures. */
export const SignedDraft = Type.Object(
  { file: Type.String({ minLength: 2, maxLength: 5_000_000 }) },
  { additionalProperties: false },
);

/** Name of a role: a model's name, with what tells roles of the same model apart. */
export const ROLE_NAME_PATTERN = "^[a-z0-9][a-z0-9.-]{0,99}$";
export const RoleNameSchema = Type.String({ pattern: ROLE_NAME_PATTERN });
