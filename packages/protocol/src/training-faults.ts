import type { TaskSpec } from "./documents.ts";
import type { LocalOptimizer, LossSpec, MetricSpec } from "./training-options.ts";

/** A field that cannot be as it is. */
export interface DocumentFault {
  /** JSON pointer. */
  readonly path: string;
  readonly problem: string;
}

const LOSS_USES: Readonly<Record<LossSpec["kind"], readonly (keyof LossSpec)[]>> = {
  auto: [],
  "softmax-cross-entropy": ["output", "weight", "labelSmoothing", "classWeights"],
  "sigmoid-cross-entropy": ["output", "weight"],
  mse: ["output", "weight"],
  mae: ["output", "weight"],
  huber: ["output", "weight", "delta"],
  graph: ["weight", "graph"],
};
const OPTIMIZER_USES: Readonly<Record<LocalOptimizer["kind"], readonly (keyof LocalOptimizer)[]>> = {
  sgd: ["weightDecay"],
  momentum: ["momentum", "nesterov", "weightDecay"],
  adam: ["beta1", "beta2", "epsilon", "weightDecay"],
  adamw: ["beta1", "beta2", "epsilon", "weightDecay"],
};
const METRIC_USES: Readonly<Record<MetricSpec["kind"], readonly (keyof MetricSpec)[]>> = {
  topK: ["k"],
  confusion: [],
  mae: [],
};

/** The first field of the training options that its kind does not use, or lacks; undefined: there is none. */
export function trainingFault(
  spec: Pick<TaskSpec, "adapters" | "trainable" | "loss" | "moreLosses" | "metrics" | "local">,
): DocumentFault | undefined {
  const { adapters, trainable, loss, moreLosses, metrics, local } = spec;
  if (adapters !== null && !(trainable.length === 1 && trainable[0] === "*")) {
    return {
      path: "/trainable",
      problem: "must be left out with adapters: /adapters/targets says what learns",
    };
  }
  if (moreLosses.length > 0 && loss.kind === "auto") {
    return { path: "/loss/kind", problem: "must be named where there are moreLosses" };
  }
  const losses = [loss, ...moreLosses].flatMap((each, i) => {
    const path = i === 0 ? "/loss" : `/moreLosses/${i - 1}`;
    if (i > 0 && each.kind === "auto") return [{ path: `${path}/kind`, problem: "must be named" }];
    return [
      stray(path, each, LOSS_USES[each.kind]) ?? lacking(path, each, each.kind === "graph" ? ["graph"] : []),
    ];
  });
  const others = metrics.map((metric, i) => {
    const path = `/metrics/${i}`;
    return stray(path, metric, METRIC_USES[metric.kind]) ?? lacking(path, metric, METRIC_USES[metric.kind]);
  });
  const optimizer = stray("/local/optimizer", local.optimizer, OPTIMIZER_USES[local.optimizer.kind]);
  return [...losses, ...others, optimizer].find((fault) => fault !== undefined);
}

function stray<T extends { readonly kind: string }>(
  path: string,
  value: T,
  uses: readonly (keyof T)[],
): DocumentFault | undefined {
  const field = (Object.keys(value) as (keyof T & string)[]).find(
    (key) => key !== "kind" && !uses.includes(key),
  );
  if (field === undefined) return undefined;
  const allowed = uses.length === 0 ? "takes no settings" : `takes ${uses.join(", ")}`;
  return { path: `${path}/${field}`, problem: `is not used: ${value.kind} ${allowed}` };
}

function lacking<T extends { readonly kind: string }>(
  path: string,
  value: T,
  needs: readonly (keyof T)[],
): DocumentFault | undefined {
  const field = needs.find((key) => value[key] === undefined);
  return field === undefined
    ? undefined
    : { path: `${path}/${String(field)}`, problem: `is needed by ${value.kind}` };
}
