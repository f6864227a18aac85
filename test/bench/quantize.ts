import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { build2nn, buildFedAvgCnn, compareModels, quantize } from "@tributary/onnx";
import { ortNode, ortWasm } from "../../packages/onnx/test/support/engines.ts";
import { readMnist, type Digits } from "../../packages/onnx/test/support/mnist.ts";
import { modelRunner } from "../../packages/onnx/test/support/run-model.ts";
import type { Benchmark, BenchmarkContext } from "../src/bench/benchmark.ts";
import { quantile } from "../src/bench/quantile.ts";
import { trainOnDigits } from "../src/bench/trained-digits.ts";

const CALIBRATION_EXAMPLES = 40;
/** The model whose latency counts: the only one of these that spends its time in computing, not in calls. */
const LATENCY_MODEL = "fedavg-cnn";

interface Subject {
  readonly name: string;
  readonly model: Uint8Array;
  readonly input: string;
  readonly shape: readonly number[];
  /** Files that onnxruntime's own Python tools made of the same model. */
  readonly rivals: readonly string[];
}

interface Measurement {
  readonly model: string;
  readonly variant: string;
  readonly bytes: number;
  readonly sizeRatio: number;
  readonly accuracy: number;
  readonly accuracyDropPoints: number;
  readonly relativeError: number;
  readonly top1Agreement: number;
  /** One example on WASM at one thread, by the time of float32. */
  readonly latencyRatioB1: number;
}

/** The largest value of each figure that is good enough; the figures are the worst over all models. */
const BOUNDS = {
  int8AccuracyDropPoints: 0.3,
  int8SizeRatio: 0.27,
  int8LatencyRatioB1: 0.75,
  int4SizeRatio: 0.17,
  int4AccuracyDropPoints: 1,
} as const;

const CNN = [
  "pytorch-cnn-mnist-qdq-u8s8",
  "pytorch-cnn-mnist-qdq-s8s8-perchannel",
  "pytorch-cnn-mnist-dynamic-u8",
];
const MLP = [
  "pytorch-mlp-bn-mnist-qdq-u8s8",
  "pytorch-mlp-bn-mnist-qoperator-u8s8-perchannel",
  "pytorch-mlp-bn-mnist-qoperator-u8u8",
];

const bench: Benchmark = {
  name: "quantize",
  summary:
    "Size, accuracy on MNIST's test images, and WASM latency of quantized models, beside onnxruntime's own.",
  usage: "[--data DIR] [--test 10000] [--train 12800] [--runs 200]",
  async run(context) {
    const { values } = parseArgs({
      args: [...context.args],
      options: {
        data: {
          type: "string",
          default: process.env["TRIBUTARY_DATA"] ?? join(import.meta.dirname, "../../../shared/data"),
        },
        test: { type: "string", default: "10000" },
        train: { type: "string", default: "12800" },
        runs: { type: "string", default: "200" },
      },
    });
    const data = resolve(values.data);
    const digits = join(data, "datasets/mnist");
    if (!existsSync(digits)) throw new Error(`${digits} is not there: --data DIR, or TRIBUTARY_DATA`);
    const train = readMnist(digits, "train");
    const held = readMnist(digits, "t10k");
    const subjects = await subjectsFrom(join(data, "onnx-models"), train, Number(values.train), context);
    const measurements: Measurement[] = [];
    for (const subject of subjects) {
      measurements.push(
        ...(await measure(subject, {
          train,
          held,
          tested: Number(values.test),
          runs: Number(values.runs),
          folder: join(data, "onnx-models"),
          context,
        })),
      );
    }
    const worst = (variant: string, pick: (m: Measurement) => number): number =>
      Math.max(...measurements.filter((m) => m.variant === variant).map(pick));
    const latency = measurements.find((m) => m.model === LATENCY_MODEL && m.variant === "int8-static");
    const figures = {
      int8AccuracyDropPoints: worst("int8-static", (m) => m.accuracyDropPoints),
      int8SizeRatio: worst("int8-static", (m) => m.sizeRatio),
      int8LatencyRatioB1: latency?.latencyRatioB1 ?? Number.NaN,
      int4SizeRatio: worst("int4-weights", (m) => m.sizeRatio),
      int4AccuracyDropPoints: worst("int4-weights", (m) => m.accuracyDropPoints),
    };
    return {
      results: { latencyModel: LATENCY_MODEL, measurements },
      figures,
      verdicts: [...boundVerdicts(figures), ...rivalVerdicts(subjects, measurements)],
    };
  },
};
export default bench;

function boundVerdicts(figures: Readonly<Record<keyof typeof BOUNDS, number>>): string[] {
  return Object.entries(BOUNDS).map(([name, bound]) => {
    const value = figures[name as keyof typeof BOUNDS];
    return `${value <= bound ? "met" : "MISSED"}: ${name} ${value.toPrecision(3)}, bound ${bound}`;
  });
}

/** Points of accuracy that counting wrong answers on so few images cannot tell apart. */
const TIED_POINTS = 0.05;

/** Each file of onnxruntime's tools beside ours of the same kind: no larger, no less accurate. */
function rivalVerdicts(subjects: readonly Subject[], measurements: readonly Measurement[]): string[] {
  return subjects.flatMap(({ name, rivals }) => {
    const of = (variant: string): Measurement =>
      measurements.find((m) => m.model === name && m.variant === variant)!;
    return rivals.map((rival) => {
      const [kind, theirs] = [rivalKind(rival), of(rival)];
      const own = of(kind);
      const met =
        own.bytes <= theirs.bytes && own.accuracyDropPoints <= theirs.accuracyDropPoints + TIED_POINTS;
      return (
        `${met ? "met" : "MISSED"}: ${name}: ${kind} ${own.bytes} B, drop ${own.accuracyDropPoints.toFixed(2)}, ` +
        `no worse than ${rival} ${theirs.bytes} B, drop ${theirs.accuracyDropPoints.toFixed(2)}`
      );
    });
  });
}

function rivalKind(rival: string): "int8-dynamic" | "int8-static" {
  return rival.includes("dynamic") ? "int8-dynamic" : "int8-static";
}

async function subjectsFrom(
  folder: string,
  train: Digits,
  examples: number,
  { log }: BenchmarkContext,
): Promise<Subject[]> {
  const engine = await ortNode();
  const own = { input: "image", shape: [1, 1, 28, 28], rivals: [] };
  log(`training two models on ${examples} digits`);
  const options = { examples, learningRate: 0.1 };
  const cnn = await trainOnDigits(engine, buildFedAvgCnn({ seed: "quantize" }), train, options);
  const mlp = await trainOnDigits(engine, build2nn({ seed: "quantize" }), train, options);
  const load = (name: string): Uint8Array => new Uint8Array(readFileSync(join(folder, name, "model.onnx")));
  return [
    { name: LATENCY_MODEL, model: cnn, ...own },
    { name: "2nn", model: mlp, ...own },
    {
      name: "pytorch-cnn-mnist",
      model: load("pytorch-cnn-mnist"),
      input: "0",
      shape: [1, 1, 28, 28],
      rivals: CNN,
    },
    {
      name: "pytorch-mlp-bn-mnist",
      model: load("pytorch-mlp-bn-mnist"),
      input: "network_input",
      shape: [1, 784],
      rivals: MLP,
    },
  ];
}

interface Setting {
  readonly train: Digits;
  readonly held: Digits;
  readonly tested: number;
  readonly runs: number;
  readonly folder: string;
  readonly context: BenchmarkContext;
}

async function measure(subject: Subject, setting: Setting): Promise<Measurement[]> {
  const { name, model, input, shape, rivals } = subject;
  const { train, held, tested, folder, context } = setting;
  const native = modelRunner(await ortNode());
  const calibration = { run: native.run, examples: train.feeds(input, shape, 0, CALIBRATION_EXAMPLES) };
  const variants = new Map<string, Uint8Array>();
  for (const scheme of ["float16", "int8-weights", "int8-dynamic", "int8-static", "int4-weights"] as const) {
    variants.set(scheme, (await quantize(model, { scheme, calibration })).model);
  }
  for (const rival of rivals) {
    variants.set(rival, new Uint8Array(readFileSync(join(folder, rival, "model.onnx"))));
  }
  const ratios = await latencyRatios(model, variants, train.feeds(input, shape, 0, 20), setting.runs);
  const examples = held.feeds(input, shape, 0, tested);
  const labels = held.labels.subarray(0, tested);
  const measurements: Measurement[] = [];
  for (const [variant, candidate] of variants) {
    const compared = await compareModels({ reference: model, candidate, run: native.run, examples, labels });
    const measurement: Measurement = {
      model: name,
      variant,
      bytes: candidate.length,
      sizeRatio: candidate.length / model.length,
      accuracy: compared.accuracy!.candidate,
      accuracyDropPoints: compared.accuracy!.dropPoints,
      relativeError: compared.relativeError,
      top1Agreement: compared.top1Agreement,
      latencyRatioB1: ratios.get(variant)!,
    };
    measurements.push(measurement);
    context.log(
      `${name.padEnd(21)} ${variant.padEnd(47)} ${String(candidate.length).padStart(8)} B ${measurement.sizeRatio.toFixed(4)}` +
        `  drop ${measurement.accuracyDropPoints.toFixed(2)}  error ${compared.relativeError.toExponential(1)}  time ${measurement.latencyRatioB1.toFixed(2)}`,
    );
  }
  await native.release();
  return measurements;
}

/** Medians of interleaved runs of one example, by the median of float32. */
async function latencyRatios(
  model: Uint8Array,
  variants: ReadonlyMap<string, Uint8Array>,
  feeds: ReturnType<Digits["feeds"]>,
  runs: number,
): Promise<ReadonlyMap<string, number>> {
  const wasm = modelRunner(await ortWasm());
  const all = new Map([["float32", model], ...variants]);
  const times = new Map([...all.keys()].map((name) => [name, [] as number[]]));
  const warmUp = Math.ceil(runs / 10);
  for (let i = 0; i < runs + warmUp; i++) {
    for (const [name, bytes] of all) {
      const started = performance.now();
      await wasm.run(bytes, feeds[i % feeds.length]!);
      if (i >= warmUp) times.get(name)!.push(performance.now() - started);
    }
  }
  await wasm.release();
  const base = quantile(times.get("float32")!, 0.5);
  return new Map(Array.from(times, ([name, sample]) => [name, quantile(sample, 0.5) / base]));
}
