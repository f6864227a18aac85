/** Holds what a page says of an answer to its model. Loaded with the counting. */
import { failure } from "@tributary/core";
import type { ModelState } from "../runtime.ts";
import type { Answer, FeedbackLabel } from "./feedback.ts";

/** Rows of one answer that are read. */
const MAX_ROWS = 65_536;

/**
 * The right classes of an answer, row by row.
 *
 * @throws `runtime/invalid-feedback`
 */
export function readFeedback(state: ModelState, answer: Answer, label: FeedbackLabel): readonly number[] {
  const { version, classes } = answer;
  const isAnswer =
    Number.isSafeInteger(version) &&
    version >= 1 &&
    Array.isArray(classes) &&
    classes.length >= 1 &&
    classes.length <= MAX_ROWS &&
    classes.every((each) => Number.isSafeInteger(each) && each >= 0);
  if (!isAnswer) throw invalid(state, "an answer of run(), with version and classes, expected");
  const labels: readonly (number | string)[] =
    typeof label === "number" || typeof label === "string" ? [label] : label;
  if (labels.length !== classes.length)
    throw invalid(state, `${classes.length} labels expected, one for each row, got ${labels.length}`);
  return labels.map((each) => classOf(state, each));
}

function classOf(state: ModelState, label: number | string): number {
  const { labels } = state;
  const at = typeof label === "number" ? label : (labels?.indexOf(label) ?? -1);
  const classes = labels?.length ?? Infinity;
  if (Number.isSafeInteger(at) && at >= 0 && at < classes) return at;
  const expected =
    labels === undefined
      ? "a class from 0"
      : `one of ${labels.slice(0, 10).join(", ")}, or its place from 0 to ${labels.length - 1},`;
  throw invalid(state, `${expected} expected, got ${JSON.stringify(label)}`);
}

function invalid({ model }: ModelState, problem: string): Error {
  return failure("runtime/invalid-feedback", `model ${model}: feedback: ${problem}`, {
    detail: { model, problem: problem.slice(0, 200) },
  });
}
