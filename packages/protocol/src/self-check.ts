import Type, { type Static } from "typebox";
import { readonlyArray } from "./schema.ts";

const ExpectedOutputs = readonlyArray(
  Type.Object({
    name: Type.String({ minLength: 1, maxLength: 256 }),
    /** The first values, of one row. */
    values: readonlyArray(Type.Number(), { minItems: 1, maxItems: 64 }),
  }),
  { minItems: 1, maxItems: 16 },
);

/** How a device finds out whether a version answers as it should, before it takes the place of the one that runs. */
export const SelfCheck = Type.Object({
  /** One row of inputs follows from it, and from the model's inputs. */
  seed: Type.String({ minLength: 1, maxLength: 128 }),
  /** Largest relative error: max|a-b| / max|a|. */
  tolerance: Type.Number({ minimum: 0, maximum: 1 }),
  /** What it answers with float32 weights, and with those of int8. */
  float32: ExpectedOutputs,
  int8: ExpectedOutputs,
});
export type SelfCheck = Static<typeof SelfCheck>;
