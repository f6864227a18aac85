import Type, { type Static } from "typebox";

const score = Type.Number({ minimum: 0, maximum: 1 });
const count = Type.Integer({ minimum: 0 });

/** What a version says of the updates it was made of, where its strategy compares them with the server's own (FLTrust). */
export const TrustView = Type.Object({
  /** Updates, or in buffered mode cohorts. */
  compared: count,
  /** Of those, how many count at all: their score is above 0. */
  trusted: count,
  /** Trust scores: the cosine of the angle to the server's own update, 0 where it is below. */
  mean: score,
  lowest: score,
  highest: score,
});
export type TrustView = Static<typeof TrustView>;
