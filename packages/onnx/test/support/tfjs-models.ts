import * as tf from "@tensorflow/tfjs";

/**
 * A weight of the ONNX file by its name there, in TensorFlow's layout: matrices [in, out], kernels [height, width, in,
 * out].
 */
export type Weights = (name: string) => tf.Tensor;

/** Logits of a model, written down a second time in TensorFlow.js operators. */
export type TfjsModel = (w: Weights, x: tf.Tensor) => tf.Tensor2D;

function linear(w: Weights, name: string, x: tf.Tensor): tf.Tensor2D {
  return tf.add(tf.matMul(x as tf.Tensor2D, w(`${name}.weight`) as tf.Tensor2D), w(`${name}.bias`));
}

/** Convolution of channels-last images. */
function conv(kernel: tf.Tensor, x: tf.Tensor, stride = 1): tf.Tensor4D {
  // "same" of TensorFlow pads the end of even sizes more; PyTorch pads both sides alike.
  const pad = (kernel.shape[0]! - 1) / 2;
  return tf.conv2d(x as tf.Tensor4D, kernel as tf.Tensor4D, stride, pad);
}

const channelsLast = (x: tf.Tensor): tf.Tensor => tf.transpose(x, [0, 2, 3, 1]);

export const tfjs2nn: TfjsModel = (w, x) => {
  const flat = tf.reshape(x, [x.shape[0]!, -1]);
  const hidden = tf.relu(linear(w, "fc2", tf.relu(linear(w, "fc1", flat))));
  return linear(w, "fc3", hidden);
};

export const tfjsFedAvgCnn: TfjsModel = (w, x) => {
  const layer = (name: string, input: tf.Tensor): tf.Tensor => {
    const convolved = tf.add(conv(w(`${name}.weight`), input), w(`${name}.bias`));
    return tf.maxPool(tf.relu(convolved) as tf.Tensor4D, 2, 2, "valid");
  };
  const images = layer("conv2", layer("conv1", channelsLast(x)));
  const flat = tf.reshape(tf.transpose(images, [0, 3, 1, 2]), [x.shape[0]!, -1]);
  return linear(w, "fc2", tf.relu(linear(w, "fc1", flat)));
};

const EPSILON = 1e-5;

export const tfjsResNetBlock: TfjsModel = (w, x) => {
  const unit = (name: string, input: tf.Tensor, stride: number): tf.Tensor => {
    const convolved = conv(w(`${name}.weight`), input, stride);
    const centred = tf.sub(convolved, w(`${name}.mean`));
    const deviation = tf.sqrt(tf.add(w(`${name}.variance`), EPSILON));
    return tf.add(tf.mul(tf.div(centred, deviation), w(`${name}.scale`)), w(`${name}.bias`));
  };
  const images = channelsLast(x);
  const inner = unit("conv2", tf.relu(unit("conv1", images, 2)), 1);
  const block = tf.relu(tf.add(inner, unit("shortcut", images, 2)));
  return linear(w, "head", tf.mean(block, [1, 2]));
};

/** Pre-norm self-attention and a Gelu layer, as `buildTransformer` of block-models.ts. */
export const tfjsTransformer =
  (heads: number): TfjsModel =>
  (w, x) => {
    const [batch, tokens, width] = x.shape as [number, number, number];
    const perHead = width / heads;
    const norm = (name: string, input: tf.Tensor): tf.Tensor => {
      const centred = tf.sub(input, tf.mean(input, -1, true));
      const variance = tf.mean(tf.square(centred), -1, true);
      const normal = tf.div(centred, tf.sqrt(tf.add(variance, EPSILON)));
      return tf.add(tf.mul(normal, w(`${name}.weight`)), w(`${name}.bias`));
    };
    /** x·W of each token. */
    const product = (name: string, input: tf.Tensor): tf.Tensor => {
      const weight = w(`${name}.weight`) as tf.Tensor2D;
      const rows = tf.reshape(input, [-1, weight.shape[0]]) as tf.Tensor2D;
      return tf.reshape(tf.matMul(rows, weight), [...input.shape.slice(0, -1), weight.shape[1]]);
    };
    const dense = (name: string, input: tf.Tensor): tf.Tensor =>
      tf.add(product(name, input), w(`${name}.bias`));
    const apart = (input: tf.Tensor): tf.Tensor4D =>
      tf.transpose(tf.reshape(input, [batch, tokens, heads, perHead]), [0, 2, 1, 3]) as tf.Tensor4D;
    const gelu = (input: tf.Tensor): tf.Tensor =>
      tf.mul(tf.mul(input, 0.5), tf.add(1, tf.erf(tf.mul(input, Math.SQRT1_2))));

    const normed = norm("norm1", x);
    const [q, k, v] = [dense("query", normed), product("key", normed), dense("value", normed)].map(apart) as [
      tf.Tensor4D,
      tf.Tensor4D,
      tf.Tensor4D,
    ];
    const scores = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(perHead));
    const mixed = tf.matMul(tf.softmax(scores), v);
    const joined = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [batch, tokens, width]);
    const attended = tf.add(x, dense("project", joined));
    const block = tf.add(attended, dense("down", gelu(dense("up", norm("norm2", attended)))));
    return dense("head", tf.mean(block, 1)) as tf.Tensor2D;
  };

/** Gates in ONNX's order: input, output, forget, cell. */
export const tfjsLstm: TfjsModel = (w, x) => {
  const [batch, tokens] = x.shape as [number, number, number];
  const [input, recurrent] = [w("lstm.w"), w("lstm.r")].map((weight) => tf.squeeze(weight, [0])) as [
    tf.Tensor2D,
    tf.Tensor2D,
  ];
  const hidden = recurrent.shape[1];
  const [ofInput, ofState] = tf.split(tf.reshape(w("lstm.b"), [-1]), 2) as [tf.Tensor, tf.Tensor];
  let [state, cell]: tf.Tensor[] = [tf.zeros([batch, hidden]), tf.zeros([batch, hidden])];
  for (const step of tf.unstack(x, 1).slice(0, tokens)) {
    const sum = tf.add(
      tf.add(tf.matMul(step as tf.Tensor2D, input, false, true), ofInput),
      tf.add(tf.matMul(state as tf.Tensor2D, recurrent, false, true), ofState),
    );
    const [i, o, f, c] = tf.split(sum, 4, 1) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    cell = tf.add(tf.mul(tf.sigmoid(f), cell!), tf.mul(tf.sigmoid(i), tf.tanh(c)));
    state = tf.mul(tf.sigmoid(o), tf.tanh(cell));
  }
  return linear(w, "head", state!);
};
