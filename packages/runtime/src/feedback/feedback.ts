import type { Inference } from "../runtime.ts";

/** An answer of `run`, or as much of it as a page kept: which version gave which class for each row. */
export type Answer = Pick<Inference, "version" | "classes">;

/** What was right: a class by its index or, where the model has labels, by its label. Of an answer of several rows, one each. */
export type FeedbackLabel = number | string | readonly (number | string)[];
