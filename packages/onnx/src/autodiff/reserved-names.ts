import { RESERVED_PREFIX } from "../ir/graph-builder.ts";

/** Input with the weight of each example; the model's own nodes read it too, where they measure the batch. */
export const SAMPLE_WEIGHTS = `${RESERVED_PREFIX}sampleWeights`;
