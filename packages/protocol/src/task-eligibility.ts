import Type, { type Static } from "typebox";
import { nullable, readonlyArray, textEnum } from "./schema.ts";

/** Those of ONNX plans, and those of plans for TensorFlow.js models. */
export const TRAINING_ENGINES = [
  "ort-webgpu",
  "ort-wasm",
  "ort-node",
  "tfjs-webgpu",
  "tfjs-wasm",
  "tfjs-cpu",
] as const;

/** Why a device sits out, as it tells the coordinator: which rule, and nothing of its own values. */
export const INELIGIBLE_REASONS = [
  "engine",
  "memory",
  "battery",
  "network",
  "locale",
  "tags",
  "storage",
] as const;
export type IneligibleReason = (typeof INELIGIBLE_REASONS)[number];

const strict = { additionalProperties: false };
const tag = Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$" });
const tags = (description: string) => readonlyArray(tag, { maxItems: 64, description, default: [] });

/** Which devices may take part. They decide by themselves, from the signed plan. */
export const EligibilityRules = Type.Object(
  {
    engines: readonlyArray(textEnum(TRAINING_ENGINES), {
      maxItems: TRAINING_ENGINES.length,
      description:
        "A device has one of these; all may, where it is empty, that run what the model is written in",
      default: [],
    }),
    minMemoryMb: nullable(Type.Integer({ minimum: 1, maximum: 1_048_576 }), {
      default: null,
      description: "Memory of the device, as coarsely as a browser tells it",
    }),
    battery: nullable(
      Type.Object(
        {
          charging: Type.Boolean({ default: true, description: "Charging is enough, whatever the level" }),
          minLevel: Type.Number({
            minimum: 0,
            maximum: 1,
            default: 1,
            description: "Without charging, at least this full; 1: only when charging",
          }),
        },
        strict,
      ),
      { default: null, description: "Devices without a battery pass" },
    ),
    network: textEnum(["any", "unmetered"], {
      default: "any",
      description: "unmetered: no cellular network, and no wish to save data",
    }),
    localeTags: tags("Languages, such as de or pt-BR: one of the device's begins so; any, where it is empty"),
    tags: tags("Tags that the app gave the device: it has all of these"),
    storage: Type.Optional(
      textEnum(["durable"], {
        description:
          "Only devices whose storage lasts, such as Node devices; tasks with scaffold ask for them by themselves",
      }),
    ),
    whenUnknown: textEnum(["ineligible", "eligible"], {
      default: "ineligible",
      description: "What a device is of which a rule asks something that its platform does not tell",
    }),
  },
  { ...strict, default: {}, description: "Which devices may take part; they decide by themselves" },
);
export type EligibilityRules = Static<typeof EligibilityRules>;
