import { EXAMPLE_DEFAULTS, type ExampleOptions, type ExamplePolicy } from "./example-policy.ts";

/** @throws RangeError */
export function checkedExampleOptions(options: ExampleOptions): ExamplePolicy {
  const policy = { ...EXAMPLE_DEFAULTS, ...options };
  const { maxExamples, maxPerClass, maxAgeMs, sampling, duplicates } = policy;
  const most = EXAMPLE_DEFAULTS.maxExamples;
  for (const [name, value] of Object.entries({ maxExamples, maxPerClass })) {
    if (Number.isSafeInteger(value) && value >= 1 && value <= most) continue;
    throw new RangeError(`examples.${name} must be a whole number from 1 to ${most}, got ${value}`);
  }
  if (!(maxAgeMs >= 1000)) throw new RangeError(`examples.maxAgeMs must be at least 1000, got ${maxAgeMs}`);
  if (sampling !== "newest" && sampling !== "reservoir") {
    throw new RangeError(`examples.sampling must be "newest" or "reservoir", got ${String(sampling)}`);
  }
  if (duplicates !== "keep" && duplicates !== "drop") {
    throw new RangeError(`examples.duplicates must be "keep" or "drop", got ${String(duplicates)}`);
  }
  return policy;
}
