/**
 * What the WASM backend of TensorFlow.js 4.22 lacks for gradients, and one kernel that it has wrong: that of max pooling, where a window
 * is all negative. The gradient of a convolution's kernel is made of kernels that it has, some twenty times faster than plain JavaScript; the
 * others are computed in plain JavaScript, which costs little beside a convolution.
 */
import * as tf from "@tensorflow/tfjs";

/** Those that the plain JavaScript backend computes: they read or write little, or are rare. */
const COMPUTED_ON_CPU = [
  "DepthwiseConv2dNativeBackpropFilter",
  "DepthwiseConv2dNativeBackpropInput",
  "MaxPool3DGrad",
  "MaxPoolGrad",
];

let registered = false;

/** Idempotent. */
export function registerTrainingKernels(): void {
  if (registered) return;
  registered = true;
  register("Conv2DBackpropFilter", kernelGradient);
  register("UnsortedSegmentSum", segmentSum);
  for (const name of COMPUTED_ON_CPU) register(name, onCpu(name));
}

function register(kernelName: string, kernelFunc: tf.KernelFunc): void {
  if (tf.getKernel(kernelName, "wasm") !== undefined) {
    // TensorFlow.js warns where one takes the place of another.
    tf.unregisterKernel(kernelName, "wasm");
  }
  tf.registerKernel({ kernelName, backendName: "wasm", kernelFunc });
}

interface KernelGradientAttributes {
  readonly strides: number | [number, number];
  readonly pad: Parameters<typeof tf.backend_util.computeConv2DInfo>[4];
  readonly filterShape: [number, number, number, number];
  readonly dimRoundingMode?: "floor" | "round" | "ceil";
}

/**
 * The convolution of the padded images with the output's gradient, in which batch and channels change places, and stride and dilation
 * too.
 */
const kernelGradient: tf.KernelFunc = ({ inputs, attrs, backend }) => {
  const [x, dy] = [inputs["x"], inputs["dy"]].map((value) =>
    sharing(backend as tf.KernelBackend, value!),
  ) as [tf.Tensor4D, tf.Tensor4D];
  const { strides, pad, filterShape, dimRoundingMode } = attrs as unknown as KernelGradientAttributes;
  const info = tf.backend_util.computeConv2DInfo(x.shape, filterShape, strides, 1, pad, dimRoundingMode);
  const { top, bottom, left, right } = info.padInfo;
  const [height, width, channels, outputs] = filterShape;
  return tf.tidy(() => {
    const padded = tf.pad4d(x, [
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ]);
    const images = tf.transpose(padded, [3, 1, 2, 0]);
    const filters = tf.transpose(dy, [1, 2, 0, 3]);
    const taps = tf.conv2d(images, filters, 1, "valid", "NHWC", [info.strideHeight, info.strideWidth]);
    // Rows at the end that no window reached would look like further taps.
    return tf.transpose(tf.slice(taps, [0, 0, 0, 0], [channels, height, width, outputs]), [1, 2, 0, 3]);
  });
};

/** Sums the rows of each segment: the gradient of picking rows, as an embedding does. */
const segmentSum: tf.KernelFunc = ({ inputs, attrs, backend }) => {
  const [x, ids] = [inputs["x"]!, inputs["segmentIds"]!];
  const { numSegments } = attrs as unknown as { readonly numSegments: number };
  const wasm = backend as tf.KernelBackend;
  const [values, segments] = [wasm.readSync(x.dataId), wasm.readSync(ids.dataId)] as Float32Array[];
  const row = values!.length / segments!.length;
  const sums = new Float32Array(numSegments * row);
  for (const [i, segment] of segments!.entries()) {
    // Rows of segments that there are not belong nowhere.
    if (segment < 0 || segment >= numSegments) continue;
    for (let j = 0; j < row; j++) sums[segment * row + j]! += values![i * row + j]!;
  }
  return tf.tensor(sums, [numSegments, ...x.shape.slice(ids.shape.length)]);
};

/** The backend in plain JavaScript, as far as it is used here. */
interface CpuBackend {
  makeTensorInfo(shape: number[], dtype: tf.DataType, values: ArrayLike<number>): tf.TensorInfo;
  readSync(id: tf.DataId): Float32Array;
  disposeData(id: tf.DataId, force?: boolean): boolean;
}

function onCpu(name: string): tf.KernelFunc {
  return ({ inputs, attrs, backend }) => {
    const cpu = tf.findBackend("cpu") as unknown as CpuBackend;
    const wasm = backend as tf.KernelBackend;
    const given = Object.entries(inputs).map(([key, value]) => {
      const { shape, dtype, dataId } = value as tf.TensorInfo;
      return [
        key,
        cpu.makeTensorInfo(shape, dtype, (wasm.readSync(dataId) as Float32Array).slice()),
      ] as const;
    });
    const kernel = tf.getKernel(name, "cpu");
    const result = kernel.kernelFunc({
      inputs: Object.fromEntries(given),
      backend: cpu,
      ...(attrs === undefined ? {} : { attrs }),
    }) as tf.TensorInfo;
    const values = cpu.readSync(result.dataId).slice();
    for (const { dataId } of [result, ...given.map(([, each]) => each)]) cpu.disposeData(dataId, true);
    return tf.tensor(values, result.shape, "float32");
  };
}

/** A further tensor of the same values: they stay until it, too, is disposed of. */
function sharing(backend: tf.KernelBackend, { dataId, shape, dtype }: tf.TensorInfo): tf.Tensor {
  backend.incRef(dataId);
  return tf.engine().makeTensorFromDataId(dataId, shape, dtype);
}
