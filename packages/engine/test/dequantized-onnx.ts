import { tensor } from "@tributary/tensor";
import { tinyOnnx } from "../src/testing/tiny-onnx.ts";

/** A dense layer [n,16] → [n,16] with its weights as int8 behind a DequantizeLinear. */
export function dequantizedOnnx(): Uint8Array<ArrayBuffer> {
  return tinyOnnx({
    nodes: [
      { op: "DequantizeLinear", inputs: ["w_int8", "w_scale"], outputs: ["w"] },
      { op: "MatMul", inputs: ["x", "w"], outputs: ["y"] },
    ],
    inputs: { x: ["float32", ["n", 16]] },
    outputs: { y: ["float32", ["n", 16]] },
    initializers: {
      w_int8: tensor(
        "int8",
        [16, 16],
        Int8Array.from({ length: 256 }, (_, i) => (i % 251) - 125),
      ),
      w_scale: tensor("float32", [], Float32Array.of(0.01)),
    },
  });
}
