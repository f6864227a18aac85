import { failure } from "@tributary/core";
import { QUANTIZATION_SCHEMES, type QuantizationScale, type QuantizationScales } from "@tributary/onnx";

/** Scales as `--save-scales` wrote them. @throws cli/file naming what is wrong. */
export function parseScales(file: string, bytes: Uint8Array): QuantizationScales {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw invalid(file, `it is no JSON: ${(cause as Error).message}`, cause);
  }
  const { scheme, weights, activations } = (value ?? {}) as Partial<QuantizationScales>;
  if (scheme === undefined || !QUANTIZATION_SCHEMES.includes(scheme)) {
    throw invalid(file, `"scheme" is none of ${QUANTIZATION_SCHEMES.join(", ")}`);
  }
  return { scheme, weights: scalesOf(file, weights), activations: scalesOf(file, activations) };
}

function scalesOf(file: string, table: unknown): Readonly<Record<string, QuantizationScale>> {
  if (typeof table !== "object" || table === null)
    throw invalid(file, '"weights" or "activations" is missing');
  for (const [name, scale] of Object.entries(table as Record<string, Partial<QuantizationScale> | null>)) {
    const { scales, zeroPoints } = scale ?? {};
    const fits =
      numbers(scales) &&
      numbers(zeroPoints) &&
      scales.length === zeroPoints.length &&
      scales.every((step) => step !== 0);
    if (!fits) throw invalid(file, `"${name}" has no scales with as many zero points`);
  }
  return table as Readonly<Record<string, QuantizationScale>>;
}

function numbers(list: unknown): list is readonly number[] {
  return Array.isArray(list) && list.every((item) => Number.isFinite(item));
}

function invalid(file: string, text: string, cause?: unknown): Error {
  return failure("cli/file", `${file} holds no scales: ${text}; --save-scales writes such a file`, {
    ...(cause === undefined ? {} : { cause }),
    detail: { file },
  });
}
