import { expect, test } from "vitest";
import { formatUpdate } from "../src/format/update.ts";
import { aTask } from "./views.ts";

test("what devices train and send is said where it is not simply the weights", () => {
  const { spec } = aTask();
  expect(formatUpdate(spec)).toBe("");
  expect(formatUpdate({ ...spec, trainable: ["head.*", "norm.*"], batchNormalization: "federated" })).toBe(
    "head.*, norm.*; batch statistics federated",
  );
  const adapters = { targets: ["*"], rank: 8, freezeA: true };
  expect(formatUpdate({ ...spec, adapters })).toBe("adapters of rank 8, alpha 8, on *");
  expect(formatUpdate({ ...spec, adapters: { ...adapters, alpha: 4, freezeA: false } })).toBe(
    "adapters of rank 8, alpha 4, on *, both factors",
  );
});
