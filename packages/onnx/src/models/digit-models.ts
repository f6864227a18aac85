import type { ModelOptions } from "./pytorch-layers.ts";
import { sequentialModel } from "./pytorch-layers.ts";

/** Softmax regression, 784-10: 7 850 parameters. */
export function buildLinear(options: ModelOptions): Uint8Array<ArrayBuffer> {
  return sequentialModel(
    "linear",
    [
      { type: "flatten", name: "flatten" },
      { type: "linear", name: "fc", inputs: 784, outputs: 10 },
    ],
    options,
  );
}

/**
 * The 2NN of McMahan et al. 2017 (FedAvg), 784-200-200-10: 199 210 parameters.
 *
 * @param options.hidden - units of each hidden layer. @defaultValue 200
 */
export function build2nn({
  hidden = 200,
  ...options
}: ModelOptions & { readonly hidden?: number }): Uint8Array<ArrayBuffer> {
  return sequentialModel(
    "2nn",
    [
      { type: "flatten", name: "flatten" },
      { type: "linear", name: "fc1", inputs: 784, outputs: hidden },
      { type: "relu", name: "relu1" },
      { type: "linear", name: "fc2", inputs: hidden, outputs: hidden },
      { type: "relu", name: "relu2" },
      { type: "linear", name: "fc3", inputs: hidden, outputs: 10 },
    ],
    options,
  );
}

/** The CNN of McMahan et al. 2017 (FedAvg): 1 663 370 parameters. */
export function buildFedAvgCnn(options: ModelOptions): Uint8Array<ArrayBuffer> {
  return sequentialModel(
    "fedavg-cnn",
    [
      { type: "conv", name: "conv1", inputs: 1, outputs: 32, kernel: 5, padding: 2 },
      { type: "relu", name: "relu1" },
      { type: "max-pool", name: "pool1", kernel: 2 },
      { type: "conv", name: "conv2", inputs: 32, outputs: 64, kernel: 5, padding: 2 },
      { type: "relu", name: "relu2" },
      { type: "max-pool", name: "pool2", kernel: 2 },
      { type: "flatten", name: "flatten" },
      { type: "linear", name: "fc1", inputs: 3136, outputs: 512 },
      { type: "relu", name: "relu3" },
      { type: "linear", name: "fc2", inputs: 512, outputs: 10 },
    ],
    options,
  );
}

/** A small CNN for pages and phones: 37 610 parameters, 150 kB as float32. */
export function buildDigitsCnn(options: ModelOptions): Uint8Array<ArrayBuffer> {
  return sequentialModel(
    "digits-cnn",
    [
      { type: "conv", name: "conv1", inputs: 1, outputs: 8, kernel: 5, padding: 0 },
      { type: "relu", name: "relu1" },
      { type: "max-pool", name: "pool1", kernel: 2 },
      { type: "conv", name: "conv2", inputs: 8, outputs: 16, kernel: 5, padding: 0 },
      { type: "relu", name: "relu2" },
      { type: "max-pool", name: "pool2", kernel: 2 },
      { type: "flatten", name: "flatten" },
      { type: "linear", name: "fc1", inputs: 256, outputs: 128 },
      { type: "relu", name: "relu3" },
      { type: "linear", name: "fc2", inputs: 128, outputs: 10 },
    ],
    options,
  );
}
