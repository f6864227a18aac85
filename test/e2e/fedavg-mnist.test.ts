import { expect, test } from "vitest";
import { dataFolder } from "../src/data-folder.ts";
import { openMnist, runFedAvg } from "../src/fedavg-run.ts";

test("2NN FedAvg over 100 devices reaches 95 % on MNIST within 40 rounds, IID (C=0.1, E=1, B=10)", async ({
  skip,
}) => {
  const mnist = dataFolder("datasets/mnist");
  if (mnist.missing !== undefined) skip(mnist.missing);
  const run = await runFedAvg({
    data: await openMnist(mnist.path),
    devices: 100,
    fraction: 0.1,
    epochs: 1,
    batchSize: 10,
    learningRate: 0.1,
    rounds: 40,
    target: 0.95,
    partition: "iid",
    onRound: ({ round, accuracy }) => console.log(`round ${round}  accuracy ${accuracy?.toFixed(4)}`),
  });
  expect(run.roundsToTarget).toBeLessThanOrEqual(40);
  expect(run.curve.map(({ round }) => round)).toEqual(run.curve.map((_, i) => i + 1));
}, 400_000);
