import { decodeModel } from "../ir/decode.ts";
import { constantsToInitializers } from "../ir/fold-constants.ts";
import { eliminateDeadCode, sortNodes } from "../ir/graph-order.ts";
import { inferenceGraph } from "../ir/inference-graph.ts";
import type { Model } from "../ir/model.ts";
import { upgradeModel } from "../ir/upgrade.ts";
import { foldBatchNorms } from "./fold-batch-norm.ts";
import { foldReshapes, fuseConvBias } from "./fold-constants.ts";
import { fuseMatMulBias } from "./fuse-matmul-bias.ts";
import { hoistRelu } from "./hoist-relu.ts";

const OLDEST_IR = 8;

/**
 * A model brought into the one form that every scheme starts from: sorted, constants as initializers that
 * are no inputs, in inference mode, batch norms folded, biases in Gemm, Relu right behind what it clips. Computes the same.
 */
export function inferenceForm(bytes: Uint8Array): Model {
  const decoded = decodeModel(bytes);
  const constants = new Set(decoded.graph.initializers.map(({ name }) => name));
  const plain = inferenceGraph(
    constantsToInitializers({
      ...decoded.graph,
      inputs: decoded.graph.inputs.filter(({ name }) => !constants.has(name)),
    }),
  );
  const model = upgradeModel({ ...decoded, graph: { ...plain, nodes: sortNodes(plain) } });
  const folded = foldBatchNorms(fuseConvBias(foldReshapes(eliminateDeadCode(model.graph))));
  const fused = fuseMatMulBias({ ...model, graph: folded });
  const graph = eliminateDeadCode(hoistRelu(fused));
  return { ...model, irVersion: Math.max(model.irVersion, OLDEST_IR), graph };
}
