import { codeOf } from "@tributary/core/testing";
import { expect, test } from "vitest";
import { callLimit, checkMaxQueued } from "../../src/inference/call-limit.ts";

test("one call more than may wait is refused, until one has its answer", () => {
  const enter = callLimit("model digits", 2);
  const leave = enter();
  enter();
  expect(codeOf(enter)).toBe("runtime/overloaded");
  leave();
  enter();
  expect(codeOf(enter)).toBe("runtime/overloaded");
});

test.each([0, -1, 1.5, 1e6])("maxQueued %d is refused", (maxQueued) => {
  expect(() => checkMaxQueued(maxQueued)).toThrowError(RangeError);
});
