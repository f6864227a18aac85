import type { Tensor } from "@tributary/tensor";
import type { FeedValue } from "../runtime.ts";

/**
 * - `integrated-gradients`: the mean slope on the way from a baseline to the input, times the way. Attributions sum to how much the score
 *   grew on it (completeness). Sundararajan, Taly and Yan, "Axiomatic Attribution for Deep Networks", 2017.
 * - `saliency`: how steeply the score rises or falls with each value, |slope|. Simonyan, Vedaldi and Zisserman, "Deep Inside
 *   Convolutional Networks", 2014.
 * - `occlusion`: how much the score falls when a window of the input is covered by the baseline. Needs no gradients. Zeiler and Fergus,
 *   "Visualizing and Understanding Convolutional Networks", 2014.
 */
export type ExplanationMethod = "integrated-gradients" | "saliency" | "occlusion";

export interface ExplainOptions {
  /** @defaultValue "integrated-gradients" */
  readonly method?: ExplanationMethod;
  /** Index of the value to explain in a row of the output, such as the class. @defaultValue that of the largest */
  readonly target?: number;
  /** Of integrated gradients: points on the way, 1 to 1024. @defaultValue 32 */
  readonly steps?: number;
  /**
   * What stands for "nothing there", of each float32 input by its name, of the input's shape; not for `saliency`.
   *
   * @defaultValue zeros
   */
  readonly baseline?: Readonly<Record<string, FeedValue>>;
  /** Of occlusion: side of the covered square of an image, in pixels. @defaultValue a seventh of the smaller side */
  readonly window?: number;
  /** Rejects with `signal.reason`. */
  readonly signal?: AbortSignal;
}

/** Options as they cross to where the model runs, which checks them. */
export type ExplainRequest = Omit<ExplainOptions, "signal">;

/** Why a model answered as it did. */
export interface Explanation {
  readonly version: number;
  readonly method: ExplanationMethod;
  /** Index of what was explained, and its label; the index as a text where the model has none. */
  readonly target: number;
  readonly label: string;
  /** The value explained, as the model's output has it: of a classifier without a softmax inside, its logit. */
  readonly score: number;
  /** Of each float32 input, a float32 tensor of its shape: how much each value speaks for the target, or against it. */
  readonly attributions: Readonly<Record<string, Tensor>>;
  /** The score of the baseline; integrated gradients alone. */
  readonly baselineScore?: number;
  /** Sum of the attributions less (score - baselineScore): what the number of steps left out. Integrated gradients alone. */
  readonly completenessError?: number;
}
