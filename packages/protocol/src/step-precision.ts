import { textEnum } from "./schema.ts";

export const STEP_PRECISIONS = ["int8", "int4", "float32"] as const;

/** How much of the server's step a version takes at once; tasks of before take all. */
export const StepPrecisionSpec = textEnum(STEP_PRECISIONS, {
  default: "int8",
  description:
    "The server's step is rounded to int8 or int4, with a scale for each output channel, so that training devices download the step instead of the weights; what rounding leaves out is added to the next step. float32: it is not rounded",
});
