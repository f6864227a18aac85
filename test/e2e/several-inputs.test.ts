import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createAgent, readExamples } from "@tributary/agent";
import { createApiClient, type VersionView } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { asPopulationName, seededRandom } from "@tributary/core";
import type { LabelledExample, ParticipationEvent } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/node";
import { tensor, writeSafetensors, type Tensor } from "@tributary/tensor";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  buildPriceModel,
  buildTextModel,
  LENGTH,
  TOPICS,
  WORDS,
} from "../../packages/runtime/test/fixtures/several-inputs.ts";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { startTributary, type Ended } from "../src/tributary-process.ts";

const [DEVICES, EXAMPLES] = [2, 90];
const folder = temporaryFolder();
const opened = new AsyncDisposableStack();
const random = seededRandom("several inputs");
let coordinator: Coordinator;

beforeAll(async () => {
  opened.defer(() => folder.remove());
  coordinator = await createCoordinator({ dataDir: join(folder.path, "coordinator"), port: 0 });
  opened.defer(() => coordinator.close());
});
afterAll(() => opened.disposeAsync());

/** As an operator types it. */
async function tributary(...args: string[]): Promise<Ended> {
  const env = { TRIBUTARY_URL: coordinator.url, TRIBUTARY_TOKEN: coordinator.operatorToken };
  const ended = await startTributary(args, { env }).ended;
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  return ended;
}

type Columns = readonly (readonly [string, Tensor])[];

/** Texts whose words belong to one topic each; the score is the words' mean number within the topic. */
function texts(count: number): Columns {
  const ids = new BigInt64Array(count * LENGTH);
  const mask = new Float32Array(count * LENGTH);
  const topics = new Int32Array(count);
  const scores = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const length = 2 + random.integer(LENGTH - 1);
    topics[i] = i % TOPICS;
    for (let at = 0; at < length; at++) {
      const word = random.integer(8);
      // The rest is padding: word 31 of no topic, which the mask leaves out.
      ids[i * LENGTH + at] = BigInt(topics[i]! * 8 + word);
      mask[i * LENGTH + at] = 1;
      scores[i]! += word / 8 / length;
    }
    ids.fill(BigInt(WORDS - 1), i * LENGTH + length, (i + 1) * LENGTH);
  }
  return [
    ["ids", tensor("int64", [count, LENGTH], ids)],
    ["mask", tensor("float32", [count, LENGTH], mask)],
    ["labels.topic", tensor("int32", [count], topics)],
    ["labels.score", tensor("float32", [count, 1], scores)],
  ];
}

/** Prices: 2 times the first measurement, less the second, and something for the kind. */
function prices(count: number): Columns {
  const size = Float32Array.from({ length: count * 2 }, () => random.normal());
  const kind = Int32Array.from({ length: count }, (_, i) => i % 4);
  const price = Float32Array.from(kind, (each, i) => 2 * size[2 * i]! - size[2 * i + 1]! + each);
  return [
    ["size", tensor("float32", [count, 2], size)],
    ["kind", tensor("int32", [count], kind)],
    ["labels", tensor("float32", [count, 1], price)],
  ];
}

/** The columns as an app would add them, value by value. */
function rowsOf(columns: Columns): LabelledExample[] {
  const count = columns[0]![1].shape[0]!;
  return Array.from({ length: count }, (_, i) => {
    const row = columns.map(([name, { data }]): [string, number[]] => {
      const width = data.length / count;
      return [name, Array.from(data.slice(i * width, (i + 1) * width) as ArrayLike<number>, Number)];
    });
    const labels = row.filter(([name]) => name.startsWith("labels"));
    const named = labels.map(([name, values]): [string, number | number[]] => [
      name.slice("labels.".length),
      name === "labels.topic" ? values[0]! : values,
    ]);
    const label = labels.length === 1 ? labels[0]![1] : Object.fromEntries(named);
    return { ...Object.fromEntries(row.filter(([name]) => !name.startsWith("labels"))), label };
  });
}

/**
 * Publishes the model, creates a task on the command line and lets two devices learn it: one an agent with a file of
 * examples, the other an app that adds them. Gives the versions, oldest first.
 */
async function learn(
  name: string,
  model: Uint8Array,
  columns: (count: number) => Columns,
  task: object,
  processing: object = {},
): Promise<readonly VersionView[]> {
  const file = (what: string): string => join(folder.path, `${name}-${what}`);
  await writeFile(file("held-out.safetensors"), writeSafetensors(columns(60)));
  await writeFile(file("examples.safetensors"), writeSafetensors(columns(EXAMPLES)));
  const rounds = 3;
  const document = {
    name,
    model: name,
    rounds,
    cohort: { goalCount: DEVICES, minimumCount: DEVICES, overSelection: 1 },
    secureAggregation: { mode: "off" },
    ...task,
  };
  await writeFile(file("task.json"), JSON.stringify(document));
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await writeFile(file("model.onnx"), model);
  await writeFile(file("processing.json"), JSON.stringify(processing));
  await tributary("publish", file("model.onnx"), "--name", name, "--processing", file("processing.json"));
  await tributary("task", "create", file("task.json"), "--held-out", file("held-out.safetensors"));

  const done = Promise.withResolvers<void>();
  let outcomes = 0;
  const watch = (event: ParticipationEvent): void => {
    if (event.type === "failed") done.reject(new Error(`${event.code}: ${event.message}`));
    if (event.type === "outcome") outcomes += 1;
    if (outcomes === rounds * DEVICES) done.resolve();
  };
  const common = {
    coordinator: coordinator.url,
    trust: "first-use",
    token: () => coordinator.mintEnrolmentToken(asPopulationName("default")),
  } as const;
  await using agent = await createAgent({
    ...common,
    dataDir: file("agent"),
    model: name,
    task: name,
    examples: () => readExamples(file("examples.safetensors")),
    onEvent: (event) => event.type === "participation" && watch(event.event),
  });
  await agent.ready;
  await using runtime = await createRuntime({ ...common, dataDir: file("app") });
  const handle = await runtime.model(name);
  await handle.examples.addAll(rowsOf(columns(EXAMPLES)));
  const participation = runtime.participate({ consent: true, task: name });
  void (async () => {
    for await (const event of participation.events()) watch(event);
  })();
  await done.promise;
  return (await api.versions(name)).versions.toReversed();
}

test("a text classifier of two inputs and two outputs is published, learned in rounds, and runs by names", async () => {
  const task = {
    loss: { kind: "softmax-cross-entropy", output: "topic" },
    moreLosses: [{ kind: "mse", output: "score", weight: 0.5 }],
    local: { epochs: 3, batchSize: 15, learningRate: 0.05, optimizer: { kind: "adam" } },
  };
  const text = {
    kind: "text",
    tokenizer: "numbered-words",
    maxTokens: LENGTH,
    padId: WORDS - 1,
    mask: "mask",
  };
  const versions = await learn("texts", buildTextModel(), texts, task, { inputs: { ids: text } });
  const [, first, , last] = versions;
  expect(last!.accuracy!).toBeGreaterThan(0.9);
  expect(last!.accuracy!).toBeGreaterThanOrEqual(first!.accuracy!);
  for (const metric of ["topic.loss", "score.loss"]) {
    expect(last!.metrics[metric]![0]!, metric).toBeLessThan(first!.metrics[metric]![0]!);
  }

  const { stdout } = await tributary("model", "show", "texts");
  expect(stdout).toMatch(/^texts {2}stable {2}version 4 of 4, /m);
  expect(stdout).toMatch(/^input +ids +int64 +\[\*,8\]$/m);
  expect(stdout).toMatch(/^output +score +float32 +\[\*,1\]$/m);

  await using runtime = await createRuntime({
    coordinator: coordinator.url,
    trust: "first-use",
    dataDir: join(folder.path, "reader"),
    tokenizers: { "numbered-words": (words) => words.split(" ").map((word) => Number(word.slice(1))) },
  });
  const model = await runtime.model("texts");
  expect(model.state.inputs.map(({ name, dtype }) => `${name} ${dtype}`)).toEqual([
    "ids int64",
    "mask float32",
  ]);
  const [ids, mask, topic] = texts(30).map(([, { data }]) => data);
  const { outputs, classes } = await model.run({ ids: ids!, mask: mask as Float32Array });
  expect(outputs["score"]!.shape).toEqual([30, 1]);
  const hits = classes.filter((each, i) => each === Number(topic![i])).length;
  expect(hits).toBeGreaterThan(25);
  await expect(model.run({ ids: ids! })).rejects.toMatchObject({
    code: "engine/missing-input",
    detail: { input: "mask" },
  });
  // As an app has it: the model says which tokenizer, the app brings it.
  const [own, ...others] = await Promise.all([
    model.run({ ids: ["w9 w12 w8", "w17 w23"] }),
    model.run({ ids: "w9 w12 w8" }),
    model.run({ ids: "w17 w23" }),
  ]);
  expect(own.classes).toEqual([1, 2]);
  expect(others.map(({ classes: [only] }) => only)).toEqual([1, 2]);
  await model.examples.add({ ids: "w17 w23", label: { topic: 2, score: [0.5] } });
  const [example] = await model.examples.list();
  expect(example!.inputs["mask"]).toEqual(Float32Array.of(1, 1, 0, 0, 0, 0, 0, 0));
}, 120_000);

test("a regression of measurements and a kind learns numbers", async () => {
  const versions = await learn("prices", buildPriceModel(), prices, {
    loss: { kind: "huber", delta: 2 },
    metrics: [{ kind: "mae" }],
    local: { epochs: 5, batchSize: 15, learningRate: 0.05, optimizer: { kind: "adam" } },
  });
  const errors = versions.slice(1).map(({ metrics }) => metrics["mae"]![0]!);
  expect(errors).toHaveLength(3);
  expect(errors[2]!).toBeLessThan(errors[0]! / 2);
  expect(versions.at(-1)!.accuracy).toBeNull();
}, 120_000);
