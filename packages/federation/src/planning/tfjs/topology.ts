/** The layers of a TensorFlow.js LayersModel as its file lists them, read without TensorFlow.js. */
import type { TfjsModelDocument } from "@tributary/protocol";

export type Topology = TfjsModelDocument["topology"];

type Json = Readonly<Record<string, unknown>>;

/** A layer's entry. */
export interface LayerEntry {
  readonly className: string;
  readonly name: string;
  readonly config: Json;
  /** Where the layer is the inner one of a wrapper, such as TimeDistributed: the wrapper's class. */
  readonly wrapper: string | undefined;
}

/** Layers that are models themselves. */
const CONTAINERS = new Set(["Model", "Functional", "Sequential"]);

/** Every layer, also those within models and wrappers, without the models themselves. */
export function* layerEntries(topology: Topology): Generator<LayerEntry> {
  yield* entriesOf(rootOf(topology), undefined);
}

function* entriesOf(node: Json, wrapper: string | undefined): Generator<LayerEntry> {
  const className = classOf(node);
  const config = configOf(node);
  if (CONTAINERS.has(className)) {
    for (const inner of layersOf(node)) yield* entriesOf(inner, wrapper);
    return;
  }
  yield { className, name: nameOf(node), config, wrapper };
  for (const key of ["layer", "forward_layer", "cell"]) {
    const inner = config[key];
    if (isJson(inner) && "class_name" in inner) yield* entriesOf(inner, className);
  }
}

/** The model itself: converters of Keras files wrap it. */
function rootOf(topology: Topology): Json {
  const { model_config: wrapped } = topology;
  return isJson(wrapped) ? wrapped : topology;
}

/** What ends a model at one of its outputs: a layer whose last act is an activation. */
export interface OutputLayer {
  readonly activation: string;
  /** Whether the rest of the model reads it too, or it is called several times. */
  readonly isReadElsewhere: boolean;
}

/** Classes that apply `activation` last; of others, such as LSTM, it is a part of what they compute. */
const ACTIVATED = new Set([
  "Activation",
  "Conv1D",
  "Conv2D",
  "Conv2DTranspose",
  "Conv3D",
  "Conv3DTranspose",
  "Dense",
  "DepthwiseConv2D",
  "SeparableConv2D",
]);

/** The activation that an output ends with, if it ends with one. @param output - name of its layer */
export function outputLayer(topology: Topology, output: string): OutputLayer | undefined {
  const found = findOutput(rootOf(topology), output, false);
  if (found === undefined) return undefined;
  const { entry, isReadElsewhere } = found;
  if (classOf(entry) === "Softmax") return { activation: "softmax", isReadElsewhere };
  const { activation } = configOf(entry);
  return ACTIVATED.has(classOf(entry)) && typeof activation === "string"
    ? { activation, isReadElsewhere }
    : undefined;
}

/** The same model without the activations that these outputs end with. */
export function withoutActivations(topology: Topology, outputs: readonly string[]): Topology {
  const copy = structuredClone(topology);
  for (const output of outputs) {
    const found = findOutput(rootOf(copy), output, false);
    if (found === undefined) continue;
    const entry = found.entry as { class_name: string; config: Json };
    if (entry.class_name === "Softmax") {
      entry.class_name = "Activation";
      entry.config = { name: nameOf(entry), activation: "linear" };
    } else {
      entry.config = { ...entry.config, activation: "linear" };
    }
  }
  return copy;
}

interface FoundOutput {
  readonly entry: Json;
  readonly isReadElsewhere: boolean;
}

/** From a model's output to the layer that makes it, through models that are layers. */
function findOutput(model: Json, output: string | undefined, isShared: boolean): FoundOutput | undefined {
  const layers = layersOf(model);
  const isSequential = classOf(model) === "Sequential";
  const name = output ?? (isSequential ? undefined : onlyOutput(model));
  const layer = isSequential ? layers.at(-1) : layers.find((each) => nameOf(each) === name);
  if (layer === undefined || (output !== undefined && nameOf(layer) !== output)) return undefined;
  const calls = layer["inbound_nodes"];
  const shared =
    isShared ||
    (Array.isArray(calls) && calls.length > 1) ||
    layers.some((each) => each !== layer && reads(each["inbound_nodes"], nameOf(layer)));
  if (CONTAINERS.has(classOf(layer))) return findOutput(layer, undefined, shared);
  const inner = configOf(layer)["layer"];
  const entry = classOf(layer) === "TimeDistributed" && isJson(inner) ? inner : layer;
  return { entry, isReadElsewhere: shared };
}

/** Whether calls of a layer name another: `[[name, node, tensor, options], …]` each. */
function reads(calls: unknown, name: string): boolean {
  return Array.isArray(calls) && (calls[0] === name || calls.some((each) => reads(each, name)));
}

function onlyOutput(model: Json): string | undefined {
  const { output_layers: outputs } = configOf(model);
  const first: unknown = Array.isArray(outputs) ? outputs[0] : undefined;
  const name: unknown = Array.isArray(first) ? first[0] : first;
  return typeof name === "string" ? name : undefined;
}

function layersOf(model: Json): readonly Json[] {
  const { config } = model;
  const layers = Array.isArray(config) ? config : configOf(model)["layers"];
  return Array.isArray(layers) ? layers.filter(isJson) : [];
}

function classOf(node: Json): string {
  return String(node["class_name"]);
}

function configOf({ config }: Json): Json {
  return isJson(config) ? config : {};
}

function nameOf(node: Json): string {
  const name = node["name"] ?? configOf(node)["name"];
  return typeof name === "string" ? name : classOf(node);
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
