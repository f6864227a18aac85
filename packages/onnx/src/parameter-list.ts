import { failure } from "@tributary/core";
import type { ParameterSchema } from "@tributary/tensor";

/** Key of the metadata entry that lists, in order, the parameters taken out of a graph. */
export const PARAMETERS_KEY = "tributary.parameters";

/** The metadata value: `[["fc1.weight",[10,784]],…]`. */
export function writeParameterList(schema: ParameterSchema): string {
  return JSON.stringify(schema.map(({ name, shape }) => [name, shape]));
}

/** Errors: `onnx/invalid-model`. */
export function readParameterList(text: string): ParameterSchema {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (cause) {
    throw failure("onnx/invalid-model", `onnx: metadata ${PARAMETERS_KEY} is not JSON`, { cause });
  }
  if (!Array.isArray(list)) throw invalid("not a list");
  return list.map((entry: unknown) => {
    const [name, shape] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof name !== "string" || !Array.isArray(shape)) throw invalid("an entry is not [name, shape]");
    if (!shape.every((dim): dim is number => Number.isSafeInteger(dim) && dim >= 0)) {
      throw invalid(`the shape of "${name}"`);
    }
    return { name, shape };
  });
}

function invalid(what: string): Error {
  return failure("onnx/invalid-model", `onnx: metadata ${PARAMETERS_KEY}: ${what}`);
}
