import type { AdapterKind, PersonaliseRequest } from "./personalisation.ts";

const ADAPTER_KINDS: readonly AdapterKind[] = ["head", "low-rank"];

/** Options of an app, checked. @throws RangeError for one out of its range */
export function checkedRequest(options: PersonaliseRequest): PersonaliseRequest {
  const { adapters, epochs, learningRate, holdBack, dutyCycle } = options;
  if (adapters !== undefined && !ADAPTER_KINDS.includes(adapters)) {
    throw outOfRange("adapters", `one of ${ADAPTER_KINDS.join(", ")}`, adapters);
  }
  if (epochs !== undefined && !(Number.isSafeInteger(epochs) && epochs >= 1 && epochs <= 1000)) {
    throw outOfRange("epochs", "an integer in [1, 1000]", epochs);
  }
  requireNumber("learningRate", learningRate, "in (0, 100]", (value) => value > 0 && value <= 100);
  requireNumber("holdBack", holdBack, "in [0.1, 0.5]", (value) => value >= 0.1 && value <= 0.5);
  requireNumber("dutyCycle", dutyCycle, "in (0, 1]", (value) => value > 0 && value <= 1);
  return options;
}

function requireNumber(
  name: string,
  value: number | undefined,
  range: string,
  fits: (value: number) => boolean,
): void {
  if (value !== undefined && !fits(value)) throw outOfRange(name, range, value);
}

function outOfRange(name: string, expected: string, got: unknown): Error {
  return new RangeError(`personalise: ${name} must be ${expected}, got ${String(got)}`);
}
