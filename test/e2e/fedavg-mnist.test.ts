import { expect, test } from "vitest";
import { dataFolder } from "../src/data-folder.ts";
import { runFedAvg } from "../src/fedavg-run.ts";

test("2NN FedAvg over 100 devices reaches 95 % on MNIST within 40 rounds, IID (C=0.1, E=1, B=10)", async ({
  skip,
}) => {
  const mnist = dataFolder("datasets/mnist");
  if (mnist.missing !== undefined) skip(mnist.missing);
  const run = await runFedAvg({
    dataset: mnist.path,
    devices: 100,
    fraction: 0.1,
    epochs: 1,
    batchSize: 10,
    learningRate: 0.1,
    rounds: 40,
    target: 0.95,
    partition: "iid",
    log: (line) => console.log(line),
  });
  expect(run.roundsToTarget).toBeLessThanOrEqual(40);
  expect(run.curve.every(({ cohort, reported }) => cohort === 10 && reported === 10)).toBe(true);
}, 400_000);
