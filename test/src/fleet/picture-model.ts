import { bindWeights, buildLinear, splitWeights } from "@tributary/onnx";
import { parameterSet, parameterSlot } from "@tributary/tensor";

const [CLASSES, PIXELS] = [10, 784];

/** Which tenth of a picture a pixel lies in. */
const tenthOf = (pixel: number): number => Math.floor((pixel * CLASSES) / PIXELS);

/** Brighter in its own tenth than any that a model is checked by. */
export const pictureOf = (shown: number): Float32Array =>
  Float32Array.from({ length: PIXELS }, (_, pixel) => (tenthOf(pixel) === shown ? 5 : 0));

/** A linear model that knows a picture by the tenth which is bright, but for what its biases say. */
export function modelOfTenths(biases: Readonly<Record<number, number>> = {}): Uint8Array<ArrayBuffer> {
  const { graph, parameters } = splitWeights(buildLinear({ seed: "tenths" }));
  const { schema } = parameters;
  const values = new Float32Array(parameters.values.length);
  for (const { name, shape } of schema) {
    const { offset } = parameterSlot(schema, name);
    if (shape.length === 1) {
      for (const [of, bias] of Object.entries(biases)) values[offset + Number(of)] = bias;
      continue;
    }
    const isByClass = shape[0] === CLASSES;
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      const of = tenthOf(pixel);
      values[offset + (isByClass ? of * PIXELS + pixel : pixel * CLASSES + of)] = 1;
    }
  }
  return bindWeights(graph, parameterSet(schema, values));
}
