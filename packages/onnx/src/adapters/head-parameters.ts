import { decodeModel } from "../ir/decode.ts";
import { constantsToInitializers } from "../ir/fold-constants.ts";
import type { Node } from "../ir/model.ts";

/** Operators that a last layer is made of. */
const LAYERS: ReadonlySet<string> = new Set(["Conv", "ConvTranspose", "Einsum", "Gemm", "MatMul"]);

/**
 * The parameters of a model's last layer, in the order given: those of the last product with weights on each way to the outputs, and of what
 * follows it.
 *
 * @param parameters names of the model's parameters
 * @returns none, where no output comes from such a layer
 * Errors: those of decodeModel.
 */
export function headParameters(model: Uint8Array, parameters: readonly string[]): readonly string[] {
  const graph = constantsToInitializers(decodeModel(model).graph);
  const known = new Set(parameters);
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const found = new Set<string>();
  const seen = new Set<Node>();
  let layers = 0;
  const pending = graph.outputs.map(({ name }) => name);
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const node = makers.get(name);
    if (node === undefined || seen.has(node)) continue;
    seen.add(node);
    // A weight may be transposed on its way to where it is read.
    const own = node.inputs.flatMap((input) => weightsBehind(input, makers, known));
    for (const weight of own) found.add(weight);
    if (node.domain === "" && LAYERS.has(node.opType) && own.length > 0) layers += 1;
    else pending.push(...node.inputs);
  }
  return layers === 0 ? [] : parameters.filter((name) => found.has(name));
}

function weightsBehind(
  input: string,
  makers: ReadonlyMap<string, Node>,
  known: ReadonlySet<string>,
): readonly string[] {
  let name = input;
  for (let maker = makers.get(name); maker !== undefined; maker = makers.get(name)) {
    if (maker.opType !== "Transpose" && maker.opType !== "Identity") break;
    name = maker.inputs[0]!;
  }
  return known.has(name) ? [name] : [];
}
