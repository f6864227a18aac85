import type { Graph, Model } from "../ir/model.ts";
import type { QuantizationScale, QuantizeOptions, WeightReport } from "./options.ts";

/** What a scheme makes of a model in inference form. */
export interface SchemeResult {
  readonly graph: Graph;
  /** Operator sets that the result needs besides or above those of the model. */
  readonly opsets?: Readonly<Record<string, number>>;
  readonly weights: ReadonlyMap<string, QuantizationScale>;
  readonly activations?: ReadonlyMap<string, QuantizationScale>;
  readonly reports: readonly WeightReport[];
}

export type Scheme = (model: Model, options: QuantizeOptions) => SchemeResult | Promise<SchemeResult>;

export function frozenWeight(options: QuantizeOptions, name: string): QuantizationScale | undefined {
  const frozen = options.frozenScales?.weights;
  return frozen !== undefined && Object.hasOwn(frozen, name) ? frozen[name] : undefined;
}
