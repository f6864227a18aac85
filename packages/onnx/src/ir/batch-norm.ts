import { intAttribute } from "./attributes.ts";
import type { Node } from "./model.ts";

/** Whether a batch normalization normalizes by the batch; before operator set 14 its further outputs said so. */
export function isTrainingBatchNorm(node: Node): boolean {
  if (node.domain !== "" || node.opType !== "BatchNormalization") return false;
  return intAttribute(node, "training_mode", 0) !== 0 || node.outputs.slice(1).some((name) => name !== "");
}

/** The same node normalizing by the running statistics it is given, which are also what its further outputs were. */
export function inferenceBatchNorm(node: Node): readonly Node[] {
  const attributes = new Map([...node.attributes].filter(([name]) => name !== "training_mode"));
  const passed = [1, 2].flatMap((index): Node[] => {
    const name = node.outputs[index] ?? "";
    if (name === "") return [];
    const inputs = [node.inputs[index + 2]!];
    return [{ name: "", domain: "", opType: "Identity", inputs, outputs: [name], attributes: new Map() }];
  });
  return [{ ...node, outputs: node.outputs.slice(0, 1), attributes }, ...passed];
}
