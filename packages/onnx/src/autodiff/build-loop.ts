import { attributesOf } from "../ir/attributes.ts";
import { RESERVED_PREFIX } from "../ir/graph-builder.ts";
import type { Attribute, Graph, Node, TensorValue, ValueInfo } from "../ir/model.ts";
import { int64Tensor } from "../ir/tensor-value.ts";
import type { GraphPort, TrainingGraphSpec } from "./build-spec.ts";
import { MAX_LOOP_STEPS } from "./loop-bound.ts";

/** Errors: RangeError; TypeError where nothing could be carried from step to step. */
export function checkLoopSteps(loopSteps: number | undefined, optimizer: unknown): void {
  if (loopSteps === undefined) return;
  if (!Number.isSafeInteger(loopSteps) || loopSteps < 1 || loopSteps > MAX_LOOP_STEPS) {
    throw new RangeError(`loopSteps must be an integer from 1 to ${MAX_LOOP_STEPS}, got ${loopSteps}`);
  }
  if (optimizer === "none") throw new TypeError("loopSteps: gradients alone are nothing to loop over");
}

/**
 * Makes a step the body of an ONNX Loop: up to `loopSteps` steps in one run, with the same bits as in as many runs.
 * Parameters and state are carried; losses, hits and metrics are summed over the steps.
 */
export function loopOver(
  step: Graph,
  spec: TrainingGraphSpec,
  loopSteps: number,
): { readonly graph: Graph; readonly spec: TrainingGraphSpec } {
  const all = (name: string): string => `${RESERVED_PREFIX}loop.${name}`;
  const more = spec.moreLabels ?? [];
  const masks = (spec.dropouts ?? []).map(({ input, shape }): GraphPort => ({
    name: input,
    dtype: "float32",
    shape,
  }));
  const fed = [...spec.inputs, spec.labels, spec.sampleWeights, ...more, ...masks];
  const carried = [...spec.parameters, ...(spec.state ?? [])];
  const results = [
    { output: spec.lossSum, shape: [] },
    { output: spec.correct, shape: [] },
    ...(spec.metrics ?? []),
  ];
  const [iteration, goOn, goesOn] = [all("iteration"), all("goOn"), all("goesOn")];
  const [always, axes] = [all("always"), all("axes")];
  const body: Graph = {
    name: "step",
    nodes: [
      ...fed.map(({ name }) => node("Gather", [all(name), iteration], [name])),
      ...step.nodes,
      node("Identity", [goOn], [goesOn]),
    ],
    initializers: [],
    inputs: [
      { name: iteration, elementType: "int64", shape: [] },
      { name: goOn, elementType: "bool", shape: [] },
      ...carried.map(({ input, shape }) => float(input, shape)),
    ],
    outputs: [
      { name: goesOn, elementType: "bool", shape: [] },
      ...carried.map(({ output, shape }) => float(output, shape)),
      ...results.map(({ output, shape }) => float(output, shape)),
    ],
    valueInfo: [],
  };
  const steps: GraphPort = { name: all("steps"), dtype: "int64", shape: [] };
  const each = (output: string): string => `${all(output)}.each`;
  const loop = node(
    "Loop",
    [steps.name, always, ...carried.map(({ input }) => all(input))],
    [...carried.map(({ output }) => all(output)), ...results.map(({ output }) => each(output))],
    new Map([["body", { type: "graph", value: body }]]),
  );
  const sums = results.map(({ output }) =>
    node("ReduceSum", [each(output), axes], [all(output)], attributesOf({ keepdims: 0 })),
  );
  const ports = fed.map((port): GraphPort => ({
    ...port,
    name: all(port.name),
    shape: [loopSteps, ...port.shape],
  }));
  const outside = new Set([...fed.map(({ name }) => name), ...carried.map(({ input }) => input)]);
  const constant: TensorValue = { name: always, elementType: "bool", dims: [], data: Uint8Array.of(1) };
  const inputs = ports.slice(0, spec.inputs.length);
  const [labels, sampleWeights, ...others] = ports.slice(inputs.length) as [
    GraphPort,
    GraphPort,
    ...GraphPort[],
  ];
  const moreLabels = others.slice(0, more.length);
  const dropouts = spec.dropouts?.map((mask) => ({
    ...mask,
    input: all(mask.input),
    shape: [loopSteps, ...mask.shape],
  }));
  const looped = <T extends { readonly input: string; readonly output: string }>(value: T): T => ({
    ...value,
    input: all(value.input),
    output: all(value.output),
  });
  return {
    graph: {
      name: step.name,
      nodes: [loop, ...sums],
      initializers: [...step.initializers, constant, int64Tensor(axes, [1], [0])],
      inputs: [
        ...[...ports, steps].map(({ name, dtype, shape }): ValueInfo => ({
          name,
          elementType: dtype,
          shape,
        })),
        ...carried.map(({ input, shape }) => float(all(input), shape)),
        ...step.inputs.filter(({ name }) => !outside.has(name)),
      ],
      outputs: [...results, ...carried].map(({ output, shape }) => float(all(output), shape)),
      valueInfo: [],
    },
    spec: {
      ...spec,
      inputs,
      features: inputs[0]!,
      labels,
      ...(more.length === 0 ? {} : { moreLabels }),
      sampleWeights,
      ...(dropouts === undefined ? {} : { dropouts }),
      lossSum: all(spec.lossSum),
      correct: all(spec.correct),
      parameters: spec.parameters.map(looped),
      ...(spec.state === undefined ? {} : { state: spec.state.map(looped) }),
      ...(spec.metrics === undefined
        ? {}
        : { metrics: spec.metrics.map((metric) => ({ ...metric, output: all(metric.output) })) }),
      loop: { maxSteps: loopSteps, steps },
    },
  };
}

function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: ReadonlyMap<string, Attribute> = new Map(),
): Node {
  return {
    name: `${RESERVED_PREFIX}loop.${opType}.${outputs[0]}`,
    opType,
    domain: "",
    inputs,
    outputs,
    attributes,
  };
}

function float(name: string, shape: readonly number[]): ValueInfo {
  return { name, elementType: "float32", shape };
}
