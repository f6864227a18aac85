import type { LabelledExample, Runtime } from "@tributary/runtime";

/** Examples of device `i`: their number, its weight, tells its encoding from the others'. */
export const examplesOf = (i: number): number => 20 + i;

/** Gives a device of the digits task its own examples. */
export async function giveDigits(runtime: Runtime, i: number): Promise<void> {
  const model = await runtime.model("digits");
  const examples: LabelledExample[] = Array.from({ length: examplesOf(i) }, (_, n) => ({
    image: Float32Array.from({ length: 784 }, (_pixel, p) => ((p * 7 + n * 13 + i) % 29) / 29),
    label: (n + i) % 10,
  }));
  await model.examples.addAll(examples);
}
