import Type, { type Static } from "typebox";
import { nullable } from "./schema.ts";

/** What follows rounds that were abandoned. */
export const RetryRules = Type.Object(
  {
    maxConsecutiveFailures: nullable(Type.Integer({ minimum: 1, maximum: 1_000_000 }), {
      default: 1_000,
      description: "After so many in a row the task pauses itself; null: never",
    }),
    backoffMs: Type.Integer({
      minimum: 100,
      maximum: 3_600_000,
      default: 500,
      description: "Before the second try; it doubles with each failure, with jitter",
    }),
    maxBackoffMs: Type.Integer({ minimum: 100, maximum: 86_400_000, default: 30_000 }),
  },
  { additionalProperties: false, default: {}, description: "What follows abandoned rounds" },
);
export type RetryRules = Static<typeof RetryRules>;
