/** What stands between an app's data and a model's tensors, and between its outputs and an answer. */
import Type, { type Static } from "typebox";
import { imageSizes } from "./image-sizes.ts";
import { invalidDocument, parseJson } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { parseDocument } from "./parse.ts";
import { readonlyArray, TensorNameSchema as TensorName, textEnum } from "./schema.ts";
import { textFault, TextProcessing } from "./text-processing.ts";

const strict = { additionalProperties: false };
const Channels = readonlyArray(Type.Number({ minimum: -1e6, maximum: 1e6 }), { minItems: 1, maxItems: 3 });
const Spreads = readonlyArray(Type.Number({ exclusiveMinimum: 0, maximum: 1e6 }), {
  minItems: 1,
  maxItems: 3,
});

/** An image becomes an input `[batch, channels, height, width]` or `[batch, height, width, channels]`. */
export const ImageProcessing = Type.Object(
  {
    kind: Type.Literal("image"),
    layout: textEnum(["nchw", "nhwc"] as const),
    /** `gray` is luma by ITU-R BT.601. */
    channels: textEnum(["rgb", "bgr", "gray"] as const),
    /** How an image of another shape fits: its middle fills the input, all of it is seen on black, or it is stretched. */
    fit: textEnum(["cover", "contain", "stretch"] as const),
    /** Values are pixel / 255, or 1 - pixel / 255: dark ink on white paper for a model of white digits on black. */
    invert: Type.Optional(Type.Boolean()),
    /** Then (value - mean) / standardDeviation, of each channel, or one for all. Left out: 0 and 1. */
    mean: Type.Optional(Channels),
    standardDeviation: Type.Optional(Spreads),
  },
  strict,
);
export type ImageProcessing = Static<typeof ImageProcessing>;

/** How an output is read as an answer. */
export const OutputProcessing = Type.Object(
  {
    name: TensorName,
    /** What the model left out: `softmax` of logits of one class, `sigmoid` of classes that exclude nothing. */
    activation: textEnum(["softmax", "sigmoid", "none"] as const),
    topK: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  },
  strict,
);
export type OutputProcessing = Static<typeof OutputProcessing>;

/** By its `kind`: how what an app has becomes an input. */
export type InputProcessing = ImageProcessing | TextProcessing;

/** Signed with the model, so that every app that runs it reads images and answers alike. */
export const ModelProcessing = Type.Object(
  {
    /** By the input's name. */
    inputs: Type.Optional(
      Type.Unsafe<Readonly<Record<string, InputProcessing>>>(
        Type.Record(TensorName, Type.Union([ImageProcessing, TextProcessing]), {
          maxProperties: LIMITS.maxPorts,
        }),
      ),
    ),
    output: Type.Optional(OutputProcessing),
  },
  strict,
);
export type ModelProcessing = Static<typeof ModelProcessing>;

export const Labels = readonlyArray(Type.String({ maxLength: 256 }), { maxItems: 65_536 });

/** What an operator publishes beside a model. */
export const ProcessingDocument = Type.Object(
  { ...ModelProcessing.properties, labels: Type.Optional(Labels) },
  strict,
);
export type ProcessingDocument = Static<typeof ProcessingDocument>;

/** Where an ONNX file carries it: among its metadata, as JSON. */
export const PROCESSING_KEY = "tributary.processing";

interface Port {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/**
 * A processing document that fits a model.
 *
 * @throws `protocol/invalid-document` with the path of the first fault in `detail`
 */
export function parseProcessing(
  bytes: Uint8Array,
  model: { readonly inputs: readonly Port[]; readonly outputs: readonly Port[] },
): ProcessingDocument {
  const json = parseJson("processing", bytes, LIMITS.maxManifestBytes);
  const document = parseDocument("processing", ProcessingDocument, json);
  for (const [name, how] of Object.entries(document.inputs ?? {})) {
    const fault =
      how.kind === "text"
        ? textFault(name, how, model.inputs)
        : imageFault(
            how,
            model.inputs.find((port) => port.name === name),
          );
    if (fault !== undefined) throw invalidDocument("processing", `/inputs/${name}`, fault);
  }
  const { output, labels } = document;
  const read = output === undefined ? undefined : model.outputs.find(({ name }) => name === output.name);
  if (output !== undefined && read?.dtype !== "float32") {
    const names = model.outputs.filter(({ dtype }) => dtype === "float32").map(({ name }) => `"${name}"`);
    throw invalidDocument("processing", "/output/name", `must be a float32 output: ${names.join(", ")}`);
  }
  const classes = (read ?? model.outputs.find(({ dtype }) => dtype === "float32"))?.shape.at(-1) ?? -1;
  if (labels !== undefined && classes > 0 && labels.length !== classes) {
    throw invalidDocument("processing", "/labels", `must be ${classes}, one a class; got ${labels.length}`);
  }
  return document;
}

function imageFault({ layout, channels, mean, standardDeviation }: ImageProcessing, port: Port | undefined) {
  if (port === undefined) return "the model has no such input";
  if (port.dtype !== "float32") return `an image becomes float32, the input is ${port.dtype}`;
  const sizes = imageSizes(layout, port.shape);
  const wanted = channels === "gray" ? 1 : 3;
  if (sizes === undefined) {
    return `an input for images is ${layout}, with a fixed height and width; got [${port.shape.join()}]`;
  }
  if (sizes.channels !== wanted) return `${channels} has ${wanted} channels, the input ${sizes.channels}`;
  for (const [name, values] of Object.entries({ mean, standardDeviation })) {
    if (values !== undefined && values.length !== 1 && values.length !== wanted) {
      return `${name} has one value, or ${wanted}; got ${values.length}`;
    }
  }
  return undefined;
}
