import type { LayerEntry } from "./topology.ts";

/** Layers that train as they are, with gradients that TensorFlow.js has on each of its backends. */
const TRAINABLE = new Set([
  "Activation",
  "Add",
  "Average",
  "AveragePooling1D",
  "AveragePooling2D",
  "AveragePooling3D",
  "BatchNormalization",
  "Bidirectional",
  "Concatenate",
  "Conv1D",
  "Conv2D",
  "Conv2DTranspose",
  "Conv3D",
  "Cropping2D",
  "Dense",
  "DepthwiseConv2D",
  "Dot",
  "Dropout",
  "ELU",
  "Embedding",
  "Flatten",
  "GlobalAveragePooling1D",
  "GlobalAveragePooling2D",
  "GlobalMaxPooling1D",
  "GlobalMaxPooling2D",
  "GRU",
  "GRUCell",
  "InputLayer",
  "LayerNormalization",
  "LeakyReLU",
  "LSTM",
  "LSTMCell",
  "Masking",
  "Maximum",
  "MaxPooling1D",
  "MaxPooling2D",
  "MaxPooling3D",
  "Minimum",
  "Multiply",
  "Permute",
  "PReLU",
  "ReLU",
  "RepeatVector",
  "Rescaling",
  "Reshape",
  "RNN",
  "SeparableConv2D",
  "SimpleRNN",
  "SimpleRNNCell",
  "Softmax",
  "StackedRNNCells",
  "ThresholdedReLU",
  "TimeDistributed",
  "UpSampling2D",
  "ZeroPadding2D",
]);

/** Layers that draw at random in training, by a generator of their own that no plan fixes. */
const RANDOM = new Set([
  "AlphaDropout",
  "GaussianDropout",
  "GaussianNoise",
  "RandomHeight",
  "RandomWidth",
  "SpatialDropout1D",
]);

/** What keeps devices from training through a layer; undefined: nothing. */
export function whyUntrainable({ className, config, wrapper }: LayerEntry): string | undefined {
  if (RANDOM.has(className)) return "draws at random by itself while it trains; use Dropout";
  if (!TRAINABLE.has(className)) return "is of a class that plans do not know";
  if (wrapper !== undefined && (className === "Dropout" || className === "BatchNormalization")) {
    return `is inside ${wrapper}, where a plan cannot reach it; put it behind`;
  }
  const dropped = ["dropout", "recurrent_dropout"].find((key) => Number(config[key] ?? 0) > 0);
  if (dropped !== undefined) return `has ${dropped}, which draws at random by itself; use Dropout layers`;
  if (config["stateful"] === true) return "keeps a state from batch to batch";
  const constraint = Object.keys(config).find(
    (key) => key.endsWith("_constraint") && (config[key] ?? null) !== null,
  );
  if (constraint !== undefined) return `has ${constraint}, which the mean of updates would not keep`;
  const dilations = [config["dilation_rate"] ?? 1].flat().map(Number);
  if (dilations.some((rate) => rate !== 1)) {
    return "is dilated, and TensorFlow.js has no gradient of dilated convolutions; convert the model to ONNX";
  }
  return undefined;
}
