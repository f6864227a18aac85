import type { ParameterSpec } from "@tributary/tensor";
import Type, { type Static } from "typebox";
import { LIMITS } from "./limits.ts";
import {
  DTYPES,
  readonlyArray,
  ShapeSchema as Shape,
  TensorNameSchema as TensorName,
  textEnum,
} from "./schema.ts";

const Dimension = Type.Integer({ minimum: -1, maximum: 2 ** 31 - 1 });

/** A named input or output of a graph. A dimension of -1 is free (the batch). */
export const GraphPort = Type.Object({
  name: TensorName,
  dtype: textEnum(DTYPES),
  shape: readonlyArray(Dimension, { maxItems: LIMITS.maxRank }),
});
export type GraphPort = Static<typeof GraphPort>;

/** Inputs or outputs of a model, in the graph's order. */
export const GraphPorts = readonlyArray(GraphPort, { minItems: 1, maxItems: LIMITS.maxPorts });

const ParameterDocument = Type.Unsafe<ParameterSpec>(Type.Object({ name: TensorName, shape: Shape }));

/** Names and shapes of a model's parameters, in canonical order. */
export const ParameterSchemaDocument = readonlyArray(ParameterDocument, {
  minItems: 1,
  maxItems: LIMITS.maxParameters,
});

/** The same of a model that may have none: quantized, or no neural network, it is all graph. */
export const AnyParametersDocument = readonlyArray(ParameterDocument, { maxItems: LIMITS.maxParameters });
