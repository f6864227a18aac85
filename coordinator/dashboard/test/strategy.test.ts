import { expect, test } from "vitest";
import { formatParameters } from "../src/format/strategy.ts";

test("parameters are shown by name, in their order", () => {
  const parameters = { learningRate: 0.1, tau: 1e-3, smoothing: 1e-6, keep: 1200 };
  expect(formatParameters({ name: "any", parameters })).toBe(
    "learningRate 0.1, tau 0.001, smoothing 0.000001, keep 1200",
  );
  expect(formatParameters({ name: "any", parameters: {} })).toBe("");
});
