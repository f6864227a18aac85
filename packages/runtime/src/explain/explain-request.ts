import type { ModelManifest } from "@tributary/protocol";
import type { Tensor } from "@tributary/tensor";
import { toFeeds } from "../updater/feeds.ts";
import type { ExplainOptions, ExplainRequest, ExplanationMethod } from "./explanation.ts";

const METHODS: readonly ExplanationMethod[] = ["integrated-gradients", "saliency", "occlusion"];
const DEFAULTS = { method: "integrated-gradients", steps: 32 } as const satisfies ExplainOptions;

/** A request with its defaults, and the baseline as tensors. */
export interface CheckedExplainRequest {
  readonly method: ExplanationMethod;
  readonly target?: number;
  readonly steps: number;
  readonly baseline?: Readonly<Record<string, Tensor>>;
  readonly window?: number;
}

/** Options of an app, checked. @throws RangeError for one out of its range; as `run` for a baseline that does not fit */
export function checkedRequest(
  { inputs }: Pick<ModelManifest, "inputs">,
  options: ExplainRequest,
): CheckedExplainRequest {
  const { method, steps } = { ...DEFAULTS, ...options };
  const { target, baseline, window } = options;
  if (!METHODS.includes(method)) {
    throw new RangeError(`explain: method must be one of ${METHODS.join(", ")}, got ${String(method)}`);
  }
  requireWhole("steps", steps, 1, 1024);
  if (target !== undefined) requireWhole("target", target, 0, 2 ** 31 - 1);
  if (window !== undefined) requireWhole("window", window, 1, 4096);
  return {
    method,
    steps,
    ...(target === undefined ? {} : { target }),
    ...(window === undefined ? {} : { window }),
    ...(baseline === undefined
      ? {}
      : {
          baseline: toFeeds(
            inputs.filter(({ name }) => Object.hasOwn(baseline, name)),
            baseline,
          ),
        }),
  };
}

function requireWhole(name: string, value: number, least: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`explain: ${name} must be an integer in [${least}, ${most}], got ${value}`);
}
