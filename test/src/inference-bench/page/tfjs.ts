import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import plain from "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm.wasm?url";
import threaded from "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.wasm?url";
import simd from "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm?url";
import { decodeModel } from "@tributary/onnx";
import { floatValues } from "../../../../packages/onnx/src/ir/tensor-value.ts";
import {
  tfjsTransformer,
  type TfjsModel,
  type Weights,
} from "../../../../packages/onnx/test/support/tfjs-models.ts";
import { inputValues, type Contestant, type ModelInfo } from "../contestant.ts";
import { timedCall } from "./main-thread.ts";

/** The demo's network. */
const digitsCnn: TfjsModel = (w, x) => {
  const layer = (name: string, input: tf.Tensor): tf.Tensor => {
    const convolved = tf.conv2d(input as tf.Tensor4D, w(`${name}.weight`) as tf.Tensor4D, 1, "valid");
    return tf.maxPool(tf.relu(tf.add(convolved, w(`${name}.bias`))) as tf.Tensor4D, 2, 2, "valid");
  };
  const dense = (name: string, input: tf.Tensor): tf.Tensor2D =>
    tf.add(tf.matMul(input as tf.Tensor2D, w(`${name}.weight`) as tf.Tensor2D), w(`${name}.bias`));
  const images = layer("conv2", layer("conv1", tf.transpose(x, [0, 2, 3, 1])));
  const flat = tf.reshape(tf.transpose(images, [0, 3, 1, 2]), [x.shape[0]!, -1]);
  return dense("fc2", tf.relu(dense("fc1", flat)));
};

const MODELS: Readonly<Record<string, { readonly model: TfjsModel; readonly transposed: boolean }>> = {
  cnn: { model: digitsCnn, transposed: true },
  transformer: { model: tfjsTransformer(4), transposed: false },
};

/** TensorFlow.js on WASM with SIMD in the page's own thread: its threads break in minified builds. */
export async function tfjsInPage(models: readonly ModelInfo[]): Promise<Contestant> {
  tf.env().set("PROD", true);
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  setWasmPaths({
    "tfjs-backend-wasm.wasm": plain,
    "tfjs-backend-wasm-simd.wasm": simd,
    "tfjs-backend-wasm-threaded-simd.wasm": threaded,
  });
  await tf.setBackend("wasm");
  return {
    name: "tfjsPage",
    async open(name) {
      const info = models.find((each) => each.name === name)!;
      const { model, transposed } = MODELS[name]!;
      const weights = new Map<string, tf.Tensor>();
      const bytes = new Uint8Array(await (await fetch(`/models/${name}.onnx`)).arrayBuffer());
      for (const initializer of decodeModel(bytes).graph.initializers) {
        const { name: weight, dims, elementType } = initializer;
        if (elementType !== "float32") continue;
        const stored = tf.tensor(Float32Array.from(floatValues(initializer)), [...dims]);
        weights.set(weight, inItsLayout(stored, transposed));
      }
      const find: Weights = (weight) => weights.get(weight)!;
      const run = async (values: Float32Array, rows: number): Promise<Float32Array> => {
        const logits = tf.tidy(() => model(find, tf.tensor(values, [rows, ...info.shape])));
        const scores = await logits.data<"float32">();
        logits.dispose();
        return scores;
      };
      const one = inputValues(info);
      return {
        run: () => timedCall(() => run(one, 1)),
        runRows: (rows) => timedCall(() => run(inputValues(info, rows), rows)),
        scores: () => run(one, 1),
        close: async () => {
          for (const weight of weights.values()) weight.dispose();
        },
      };
    },
  };
}

function inItsLayout(weight: tf.Tensor, transposed: boolean): tf.Tensor {
  if (weight.rank === 4) return tf.transpose(weight, [2, 3, 1, 0]);
  return weight.rank === 2 && transposed ? tf.transpose(weight) : weight;
}
