import { readFileSync } from "node:fs";
import { join } from "node:path";
import { dataSets, difference, filesOf, readTensor, requiredInputs, toOrt } from "./backend.ts";
import type { Feeds, OrtTensor, TestEngine } from "./engines.ts";
import { decodeModel } from "../../src/ir/decode.ts";
import { encodeModel } from "../../src/ir/encode.ts";
import type { Fact } from "../../src/ir/fact.ts";
import { shapeText } from "../../src/ir/fact.ts";
import type { Model, TensorValue } from "../../src/ir/model.ts";
import { floatTensor } from "../../src/ir/tensor-value.ts";
import { inferShapes } from "../../src/ir/shapes.ts";

export interface CaseResult {
  /** Why the rewritten model did not give the expected outputs. */
  readonly run?: string;
  /** Where inference and the real outputs disagree. */
  readonly shape?: string;
  /** Outputs whose shape inference could not tell wholly. */
  readonly open: readonly string[];
}

/** Reads, writes and runs one case, and compares outputs and shapes. Graph optimization stays off. */
export async function runCase(engine: TestEngine, folder: string, scaled = false): Promise<CaseResult> {
  const bytes = readFileSync(join(folder, "model.onnx"));
  const model = decodeModel(bytes);
  let session;
  const open = new Set<string>();
  let shape: string | undefined;
  try {
    session = await engine.load(encodeModel(model));
    for (const dataSet of dataSets(folder)) {
      const values = inputValues(model, dataSet);
      const feeds: Feeds = Object.fromEntries(values.map(([name, value]) => [name, toOrt(engine, value)]));
      const outputs = (await session.run(feeds)) as Record<string, OrtTensor>;
      const facts = inferShapes(
        bareModel(model, values),
        Object.fromEntries(values.map(([name, { dims }]) => [name, dims])),
      );
      for (const [i, file] of filesOf(dataSet, "output").entries()) {
        const { name } = model.graph.outputs[i]!;
        const got = outputs[name]!;
        shape ??= disagreement(name, facts.get(name), got, open);
        const differs = difference(readTensor(file), got, scaled);
        if (differs !== undefined) return { run: `${name}: ${differs}`, ...told(shape), open: [...open] };
      }
    }
  } catch (error) {
    const run = (error as Error).message.replaceAll(/\s+/gu, " ").slice(0, 200);
    return { run, ...told(shape), open: [...open] };
  } finally {
    await session?.release();
  }
  return { ...told(shape), open: [...open] };
}

function told(shape: string | undefined): { shape?: string } {
  return shape === undefined ? {} : { shape };
}

function disagreement(
  name: string,
  fact: Fact | undefined,
  got: OrtTensor,
  open: Set<string>,
): string | undefined {
  if (fact?.shape === undefined || fact.shape.some((dim) => typeof dim === "string")) open.add(name);
  if (fact?.shape === undefined) return undefined;
  const real = got.dims;
  const fits =
    fact.shape.length === real.length &&
    fact.shape.every((dim, i) => typeof dim === "string" || dim === real[i]);
  if (!fits) return `${name} is [${real.join(",")}], inferred ${shapeText(fact.shape)}`;
  return fact.elementType === "undefined" || fact.elementType === got.type
    ? undefined
    : `${name} is ${got.type}, inferred ${fact.elementType}`;
}

type Inputs = readonly (readonly [name: string, value: TensorValue])[];

function inputValues(model: Model, dataSet: string): Inputs {
  const names = requiredInputs(model);
  const files = filesOf(dataSet, "input");
  if (files.length > 0 || names.length === 0) {
    return files.map((file, i) => [names[i]!, readTensor(file)] as const);
  }
  // The light-* models ship no input: it is 0, 1/n, 2/n … by agreement.
  const [name] = names;
  const dims = model.graph.inputs.find((info) => info.name === name)!.shape as number[];
  const count = dims.reduce((product, dim) => product * dim, 1);
  return [
    [
      name!,
      floatTensor(
        name!,
        dims,
        Float32Array.from({ length: count }, (_, i) => i / count),
      ),
    ],
  ];
}

/**
 * Without value_info and output shapes, which inference would otherwise fall back on, and with the inputs
 * that a shape depends on (axes, sizes, repeats) as constants.
 */
function bareModel(model: Model, values: Inputs): Model {
  const { graph } = model;
  const outputs = graph.outputs.map((info) => ({ ...info, shape: undefined }));
  const small = values.filter(([, { dims, elementType }]) => dims.length <= 1 && elementType !== "string");
  const fixed = small.map(([name, value]) => ({ ...value, name }));
  const initializers = [...graph.initializers, ...fixed];
  return { ...model, graph: { ...graph, initializers, outputs, valueInfo: [] } };
}
