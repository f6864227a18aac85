import { writeFile } from "node:fs/promises";
import type { Session } from "@tributary/engine";
import {
  compareModels,
  describeModel,
  quantize,
  QUANTIZATION_SCHEMES,
  recommend,
  type QuantizationScheme,
  type RunModel,
} from "@tributary/onnx";
import { Command, Option } from "commander";
import { readCalibration } from "../calibration-file.ts";
import { readInput } from "../read-input.ts";
import { formatBytes, formatPercent } from "../start/format.ts";

interface QuantizeCommandOptions {
  readonly scheme?: QuantizationScheme;
  readonly calibration?: string;
  readonly output: string;
  readonly method: "min-max" | "entropy" | "percentile";
  readonly json?: boolean;
}

/** `tributary quantize model.onnx`: a smaller model, and what it costs in accuracy. */
export function quantizeCommand(): Command {
  return new Command("quantize")
    .description("Make a smaller ONNX model, and compare it with the original on the calibration examples.")
    .argument("<file>", "the ONNX file")
    .addOption(
      new Option("--scheme <scheme>", "default: what is recommended for CPU and WASM").choices([
        ...QUANTIZATION_SCHEMES,
      ]),
    )
    .option("--calibration <file>", "examples as safetensors: a tensor for each input, or images and labels")
    .addOption(
      new Option("--method <method>", "how int8-static chooses ranges")
        .choices(["min-max", "entropy", "percentile"])
        .default("min-max"),
    )
    .requiredOption("-o, --output <file>", "where the quantized model goes")
    .option("--json", "print one JSON object")
    .action(async (file: string, options: QuantizeCommandOptions) => {
      const bytes = await readInput(file);
      const description = describeModel(bytes);
      const advice = recommend(description, "ort-wasm");
      const given =
        options.calibration === undefined
          ? undefined
          : readCalibration(await readInput(options.calibration), description);
      const scheme =
        options.scheme ??
        (given === undefined && advice.scheme === "int8-static" ? "int8-weights" : advice.scheme);
      await using runner = await startRunner();
      const { run } = runner;
      const made = await quantize(bytes, {
        scheme,
        ...(given === undefined
          ? {}
          : { calibration: { run, examples: given.examples, method: options.method } }),
      });
      const comparison =
        given === undefined
          ? undefined
          : await compareModels({
              reference: bytes,
              candidate: made.model,
              run,
              examples: given.examples,
              ...(given.labels === undefined ? {} : { labels: given.labels }),
            });
      await writeFile(options.output, made.model);
      const sizes = { bytes: made.model.length, originalBytes: bytes.length };
      if (options.json === true) {
        console.log(
          JSON.stringify({ scheme, ...sizes, comparison: comparison ?? null, weights: made.weights }),
        );
        return;
      }
      console.log(
        `${options.output}: ${scheme}, ${formatBytes(sizes.bytes)} of ${formatBytes(sizes.originalBytes)} ` +
          `(${formatPercent(sizes.bytes / sizes.originalBytes)})`,
      );
      if (comparison === undefined) {
        console.log("no calibration examples, so nothing was compared; --calibration FILE tells the error");
        return;
      }
      console.log(
        `output error    ${formatPercent(comparison.relativeError)} on ${comparison.rows} examples`,
      );
      console.log(`same class      ${formatPercent(comparison.top1Agreement)}`);
      const { accuracy } = comparison;
      if (accuracy === undefined) return;
      console.log(
        `accuracy        ${formatPercent(accuracy.candidate)}, was ${formatPercent(accuracy.reference)}`,
      );
    });
}

interface Runner extends AsyncDisposable {
  readonly run: RunModel;
}

/** Runs models on onnxruntime-node, which is only loaded when a command needs it. */
async function startRunner(): Promise<Runner> {
  const { createOrtNodeEngine } = await import("@tributary/engine/ort-node");
  const engine = await createOrtNodeEngine();
  const sessions = new Map<Uint8Array, Promise<Session>>();
  return {
    async run(model, feeds) {
      let session = sessions.get(model);
      if (session === undefined) sessions.set(model, (session = engine.load(model)));
      return await (await session).run(feeds);
    },
    async [Symbol.asyncDispose]() {
      for (const session of sessions.values()) await (await session)[Symbol.asyncDispose]();
      await engine.close();
    },
  };
}
