import type {
  DeviceId,
  Digest,
  ModelName,
  ModelVersion,
  PopulationName,
  RoundId,
  TaskName,
} from "@tributary/core";
import type { DType } from "@tributary/tensor";
import { LIMITS } from "./limits.ts";
import Type, { type Static, type TSchema } from "typebox";

// Building blocks of the JSON documents. Names are the ids of core, so a parsed document holds branded values.

const NAME_PATTERN = "^[a-z0-9][a-z0-9-]{0,62}$";

export const DigestSchema = Type.Unsafe<Digest>({ type: "string", pattern: "^[0-9a-f]{64}$" });
export const DeviceIdSchema = Type.Unsafe<DeviceId>({ type: "string", pattern: "^[0-9a-f]{32}$" });
export const PopulationNameSchema = Type.Unsafe<PopulationName>({
  type: "string",
  pattern: NAME_PATTERN,
});
export const TaskNameSchema = Type.Unsafe<TaskName>({ type: "string", pattern: NAME_PATTERN });
export const ModelNameSchema = Type.Unsafe<ModelName>({ type: "string", pattern: NAME_PATTERN });
export const ModelVersionSchema = Type.Unsafe<ModelVersion>({
  type: "integer",
  minimum: 1,
  maximum: 4_294_967_295,
});
export const RoundIdSchema = Type.Unsafe<RoundId>({ type: "string", pattern: "^[a-z0-9-]{1,64}$" });
export const CHANNEL_PATTERN = "^[a-z0-9][a-z0-9-]{0,31}$";
export const ChannelSchema = Type.String({ pattern: CHANNEL_PATTERN });
export const TimestampSchema = Type.String({
  format: "date-time",
  maxLength: 40,
  description: "RFC 3339, UTC",
});
/** As `Date.toISOString` writes it: a pattern, so that devices check it without the tables of a date format. */
export const UtcTimestampSchema = Type.String({
  pattern:
    "^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])T([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,9})?Z$",
  maxLength: 40,
  description: "RFC 3339, UTC",
});
export const TargetPathSchema = Type.String({
  pattern: "^[A-Za-z0-9][A-Za-z0-9._/-]{0,255}$",
  description: "Path of a TUF target",
});

/** An array whose static type is readonly, as every list in a document is. */
export function readonlyArray<Item extends TSchema>(
  items: Item,
  options: {
    minItems?: number;
    maxItems?: number;
    description?: string;
    default?: readonly Static<Item>[];
  } = {},
) {
  return Type.Unsafe<readonly Static<Item>[]>(Type.Array(items, options));
}

/** The value or null. */
export function nullable<Value extends TSchema>(
  schema: Value,
  options: { default?: Static<Value> | null; description?: string } = {},
) {
  return Type.Union([schema, Type.Null()], options);
}

/** A list of allowed texts. */
export function textEnum<const Values extends readonly string[]>(
  values: Values,
  options: { description?: string; default?: Values[number] } = {},
) {
  return Type.Unsafe<Values[number]>({ type: "string", enum: [...values], ...options });
}

export const DTYPES = [
  "float32",
  "float64",
  "float16",
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "bool",
] as const satisfies readonly DType[];

/** Of a value in a graph. */
export const TensorNameSchema = Type.String({ minLength: 1, maxLength: 512 });

/** Sizes of a tensor's axes. */
export const ShapeSchema = readonlyArray(Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 }), {
  maxItems: LIMITS.maxRank,
});
