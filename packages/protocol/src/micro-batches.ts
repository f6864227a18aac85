import Type, { type Static } from "typebox";
import { GraphPort } from "./graph-ports.ts";
import { LIMITS } from "./limits.ts";
import {
  readonlyArray,
  ShapeSchema as Shape,
  TargetPathSchema,
  TensorNameSchema as TensorName,
} from "./schema.ts";

const FedParameter = Type.Object({ name: TensorName, shape: Shape, input: TensorName });
const CarriedTensor = Type.Object({ name: TensorName, shape: Shape, input: TensorName, output: TensorName });

/** How the graph of an optimizer's step is fed and read: what it makes of a batch's mean gradients. */
export const OptimizerStepDocument = Type.Object({
  kind: Type.Literal("optimizer-step"),
  learningRate: GraphPort,
  parameters: readonlyArray(CarriedTensor, { minItems: 1, maxItems: LIMITS.maxParameters }),
  /** Inputs for the gradients, by the parameters' names; one that the loss does not depend on has none. */
  gradients: readonlyArray(FedParameter, { minItems: 1, maxItems: LIMITS.maxParameters }),
  state: Type.Optional(readonlyArray(CarriedTensor, { maxItems: 2 * LIMITS.maxParameters + 2 })),
  baseParameters: Type.Optional(readonlyArray(GraphPort, { maxItems: LIMITS.maxParameters })),
  gradientOffsets: Type.Optional(readonlyArray(FedParameter, { maxItems: LIMITS.maxParameters })),
});
export type OptimizerStepDocument = Static<typeof OptimizerStepDocument>;

/** Graphs of gradients by the number of examples that each takes, the largest first. */
export const MicroBatchParts = readonlyArray(
  Type.Object({ batchSize: Type.Integer({ minimum: 1, maximum: 4096 }), target: TargetPathSchema }),
  { minItems: 1, maxItems: 12 },
);

/** Why a plan's batches are not cut. */
export const WholeReason = Type.Union([
  Type.Literal("short"),
  Type.Literal("batch-statistics"),
  Type.Literal("class-weights"),
  Type.Literal("loss-graph"),
  Type.Literal("dropout"),
]);
export type WholeReason = Static<typeof WholeReason>;
