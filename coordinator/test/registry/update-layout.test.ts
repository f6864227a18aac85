import { asModelName, asTaskName, TributaryError } from "@tributary/core";
import { bindWeights, decodeModel, splitWeights } from "@tributary/onnx";
import { parsePlan, type Plan } from "@tributary/protocol";
import { parametersFromSafetensors } from "@tributary/tensor";
import { afterEach, expect, test } from "vitest";
import { rooms, type Room } from "../rounds/rounds-room.ts";
import { smallClassifier } from "../rounds/small-classifier.ts";

const { open, dispose } = rooms();
afterEach(dispose);

const WEIGHTS = ["body.weight", "body.bias", "norm.scale", "norm.shift", "head.weight"];
const STATISTICS = ["norm.mean", "norm.variance"];
const model = asModelName("small");

async function planOf(room: Room, name: string, task: object): Promise<Plan> {
  const record = await room.registry.createTask({
    name,
    model,
    secureAggregation: { mode: "off" },
    ...task,
  });
  await room.registry.changeTask(asTaskName(name), { state: "paused" });
  return parsePlan(await room.blobs.bytes(record.plan.digest));
}

async function refusal(room: Room, task: object): Promise<[string, unknown]> {
  const error: unknown = await room.registry
    .createTask({ name: "refused", model, secureAggregation: { mode: "off" }, ...task })
    .catch((caught: unknown) => caught);
  if (!TributaryError.is(error)) throw new Error("the task was not refused");
  return [error.code, (error.detail as { path?: string }).path];
}

const named = (plan: Plan, role: string) =>
  plan.update.tensors.filter((tensor) => tensor.role === role).map(({ name }) => name);

test.each([true, false])(
  "updates hold what batchNormalization and trainable say, exported in training mode: %s",
  async (training) => {
    const room = await open();
    await room.registry.publish(model, smallClassifier({ training }));
    const published = (await room.registry.model(model)).parameters.map(({ name }) => name);
    expect(published.toSorted()).toEqual([...WEIGHTS, ...STATISTICS].toSorted());

    const asExported = await planOf(room, "as-exported", {});
    expect(named(asExported, "weight")).toEqual(WEIGHTS);
    expect(named(asExported, "statistic")).toEqual(training ? STATISTICS : []);
    expect(asExported.training.spec.dropouts ?? []).toHaveLength(training ? 1 : 0);

    const frozen = await planOf(room, "frozen", { batchNormalization: "frozen" });
    expect(frozen.update.tensors.map(({ name }) => name)).toEqual(WEIGHTS);
    expect(frozen.training.spec.frozen?.map(({ name }) => name)).toEqual(STATISTICS);

    const federated = await planOf(room, "federated", {
      batchNormalization: "federated",
      maxStatisticChange: 7,
      secureAggregation: { mode: "on", minimumCohort: 3 },
    });
    expect(named(federated, "weight")).toEqual(WEIGHTS);
    expect(federated.update.tensors.slice(5)).toEqual([
      { name: "norm.mean", shape: [4], role: "statistic" },
      { name: "norm.variance", shape: [4], role: "statistic", minimum: 0 },
    ]);
    expect(federated.update.maxStatisticChange).toBe(7);
    const { segments } = federated.secureAggregation!.encoding;
    expect(segments.slice(0, 2)).toMatchObject([
      { codec: "update", count: 5 * 4 + 4 + 4 + 4 + 4 * 3 },
      { codec: "state", count: 8, bound: 7 },
    ]);

    const head = await planOf(room, "head", { trainable: ["head.*"] });
    expect(head.update.tensors).toEqual([{ name: "head.weight", shape: [4, 3], role: "weight" }]);
    expect(await refusal(room, { trainable: ["head.*"], batchNormalization: "federated" })).toEqual([
      "coordinator/invalid-task",
      "/batchNormalization",
    ]);
    expect(await refusal(room, { trainable: STATISTICS, batchNormalization: "federated" })).toEqual([
      "coordinator/invalid-task",
      "/trainable",
    ]);
  },
);

test("of adapters, updates hold the second factors; with freezeA off both, and statistics beside them", async () => {
  const room = await open();
  await room.registry.publish(model, smallClassifier({ training: true }));
  const plan = await planOf(room, "adapters", { adapters: { rank: 2 }, batchNormalization: "frozen" });
  expect(plan.update.tensors).toEqual([
    { name: "body.weight.lora_b", shape: [2, 4], role: "weight" },
    { name: "head.weight.lora_b", shape: [2, 3], role: "weight" },
  ]);
  expect(plan.adapters).toEqual({
    targets: ["*"],
    rank: 2,
    alpha: 2,
    freezeA: true,
    seed: "adapters 1",
  });
  const both = await planOf(room, "both", { adapters: { targets: ["head.*"], rank: 2, freezeA: false } });
  expect(named(both, "weight")).toEqual(["head.weight.lora_a", "head.weight.lora_b"]);
  expect(named(both, "statistic")).toEqual(STATISTICS);
  expect(await refusal(room, { adapters: { targets: ["tail.*"] } })).toEqual([
    "coordinator/invalid-task",
    "/adapters",
  ]);
});

test("a model exported in training mode is published in inference mode, and published again it is its next version", async () => {
  const room = await open();
  const first = await room.registry.publish(model, smallClassifier({ training: true }));
  const record = await room.registry.model(model);
  const { nodes, initializers } = decodeModel(await room.blobs.bytes(first.graph.digest)).graph;
  const [norm, dropout] = ["BatchNormalization", "Dropout"].map((op) =>
    nodes.find(({ opType }) => opType === op),
  );
  expect([norm?.attributes.has("training_mode"), norm?.outputs, dropout?.inputs]).toEqual([
    false,
    ["n"],
    ["t"],
  ]);
  expect(initializers).toEqual([]);
  // What is trained is what was exported.
  const weights = parametersFromSafetensors(record.parameters, await room.blobs.bytes(first.weights.digest));
  const trained = bindWeights(await room.blobs.bytes(record.trainingGraph!.digest), weights);
  expect(splitWeights(trained).trainingGraph).toEqual(
    splitWeights(smallClassifier({ training: true })).trainingGraph,
  );
  expect((await room.registry.publish(model, smallClassifier({ training: true }))).version).toBe(2);
});
