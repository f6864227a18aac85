import {
  TRAINING_ENGINES,
  usesControlVariates,
  type EligibilityRules,
  type ModelFormat,
  type Plan,
  type TaskSpec,
} from "@tributary/protocol";
import { invalidTask } from "./training-options.ts";

/**
 * What a plan tells devices of when they may be asked, and which of them; nothing where a task has no such rule.
 *
 * @param format what devices run for it; undefined: nothing
 * @throws `coordinator/invalid-task` where none of the engines that it asks for runs what the model is written in
 */
export function deviceRules(
  spec: TaskSpec,
  format: ModelFormat | undefined,
): Pick<Plan, "selection" | "eligibility"> {
  const { selection } = spec;
  const { engines: asked } = spec.eligibility;
  const rules = { ...spec.eligibility, engines: format === undefined ? asked : enginesOf(spec, format) };
  const eligibility = usesControlVariates(spec) ? { ...rules, storage: "durable" as const } : rules;
  const { minimumSeparationMs, minimumSeparationRounds } = selection;
  const { engines, minMemoryMb, battery, network, localeTags, tags, storage } = eligibility;
  const asksAll =
    engines.length + localeTags.length + tags.length === 0 &&
    minMemoryMb === null &&
    battery === null &&
    storage === undefined &&
    network === "any";
  return {
    ...(minimumSeparationMs === 0 && minimumSeparationRounds === 0
      ? {}
      : { selection: { minimumSeparationMs, minimumSeparationRounds } }),
    ...(asksAll ? {} : { eligibility }),
  };
}

/** Those asked for that run the model's format. ONNX runs on every device, TensorFlow.js where an app brings it along. */
function enginesOf(spec: TaskSpec, format: ModelFormat): EligibilityRules["engines"] {
  const { engines } = spec.eligibility;
  const able = TRAINING_ENGINES.filter((engine) => engine.startsWith("tfjs-") === (format === "tfjs"));
  if (engines.length === 0) return format === "onnx" ? engines : able;
  const asked = engines.filter((engine) => able.includes(engine));
  if (asked.length > 0) return asked;
  const problem = `none of ${engines.join(", ")} runs models of the format ${format}; use ${able.join(", ")}`;
  throw invalidTask(spec, "/eligibility/engines", problem);
}
