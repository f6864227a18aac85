import { fittingLoss } from "@tributary/onnx";
import type { TaskSpec } from "@tributary/protocol";
import type { TfjsSource } from "./tfjs/tfjs-graphs.ts";
import { fittingTfjsLoss } from "./tfjs/tfjs-losses.ts";

/** The task with `auto` replaced by the loss that the model looks made for, so that everyone sees which it is. */
export function withLoss(spec: TaskSpec, model: Uint8Array | TfjsSource): TaskSpec {
  if (spec.loss.kind !== "auto") return spec;
  const kind = model instanceof Uint8Array ? fittingLoss(model) : fittingTfjsLoss(model.document);
  return { ...spec, loss: { ...spec.loss, kind } };
}
