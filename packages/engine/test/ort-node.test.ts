import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { describeEngine } from "@tributary/engine/testing";
import { expect, test } from "vitest";

describeEngine("onnxruntime-node", { open: () => createOrtNodeEngine() });
describeEngine("onnxruntime-node, two threads", { open: () => createOrtNodeEngine({ threads: 2 }) });

test.each([0, 65, 1.5, Number.NaN])("threads: %d is refused", async (threads) => {
  await expect(createOrtNodeEngine({ threads })).rejects.toThrow(RangeError);
});
