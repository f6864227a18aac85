import { expect, test } from "vitest";
import { formatPorts } from "../src/format/ports.ts";

test("ports are shown with type and shape, in their order", () => {
  expect(
    formatPorts([
      { name: "ids", dtype: "int64", shape: [-1, 16] },
      { name: "rate", dtype: "float32", shape: [] },
    ]),
  ).toBe("ids int64 [*,16], rate float32 []");
});
