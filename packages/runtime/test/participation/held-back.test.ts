import type { TrainResult } from "@tributary/engine/training";
import fc from "fast-check";
import { expect, test } from "vitest";
import { requireNoExplosion, split } from "../../src/participation/held-back.ts";

const all = Array.from({ length: 40 }, (_, label) => ({ inputs: [Uint8Array.of(label)], label }));
const result = (firstLoss: number, lossSum: number): TrainResult =>
  ({ firstLoss, lossSum, numExamples: 10, steps: 5 }) as TrainResult;

test("a share is held back, the same for the same seed, and the rest is trained on", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.5, noNaN: true }), fc.string(), (share, seed) => {
      const { examples, heldBack } = split(all, share, seed);
      expect(heldBack).toHaveLength(Math.floor(share * 40));
      expect(new Set([...examples, ...heldBack])).toEqual(new Set(all));
      expect(split(all, share, seed)).toEqual({ examples, heldBack });
    }),
    { seed: 21 },
  );
});

test.each([
  ["fell", result(2.3, 4), undefined, undefined, true],
  ["grew a little from almost nothing", result(0.001, 5), undefined, undefined, true],
  ["grew ten times and more", result(2, 210), undefined, undefined, false],
  ["is not a number", result(2, Number.NaN), undefined, undefined, false],
  ["fell where it was trained, and exploded where it was not", result(2, 4), 2, 21, false],
  ["is not finite where it was not trained", result(2, 4), 2, Number.POSITIVE_INFINITY, false],
  ["is better where it was not trained", result(2, 4), 2, 1.5, true],
])("a loss that %s", (_, trained, before, after, isSent) => {
  const measured = (loss: number | undefined) => (loss === undefined ? undefined : { loss, accuracy: 0 });
  const check = () => requireNoExplosion(trained, measured(before), measured(after));
  if (isSent) expect(check).not.toThrow();
  else expect(check).toThrow(expect.objectContaining({ code: "federation/training-diverged" }));
});
