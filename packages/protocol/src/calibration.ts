import Type, { type Static } from "typebox";
import { parseDocument } from "./parse.ts";
import { parseJson } from "./json.ts";
import { InputSample } from "./model-variants.ts";
import { readonlyArray } from "./schema.ts";

/** Where an ONNX file says what its activations were seen to be, for the forms that need it: among its metadata, as JSON. */
export const CALIBRATION_KEY = "tributary.calibration";

const MAX_CALIBRATION_BYTES = 4 * 1024 * 1024;

/** What examples are needed for, without them. */
export const CalibrationDocument = Type.Object({
  formatVersion: Type.Literal(1),
  /** By the activation's name: the least and the largest value that is told apart. */
  ranges: Type.Record(
    Type.String({ minLength: 1, maxLength: 512 }),
    readonlyArray(Type.Number(), { minItems: 2, maxItems: 2 }),
    { maxProperties: 65_536 },
  ),
  /** What the float inputs looked like. */
  sample: InputSample,
});
export type CalibrationDocument = Static<typeof CalibrationDocument>;

/** @throws `protocol/invalid-document` with the path of the first fault in `detail` */
export function parseCalibration(bytes: Uint8Array): CalibrationDocument {
  return parseDocument(
    "calibration",
    CalibrationDocument,
    parseJson("calibration", bytes, MAX_CALIBRATION_BYTES),
  );
}
