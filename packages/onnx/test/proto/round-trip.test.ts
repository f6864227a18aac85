import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { decodeModel, encodeModel } from "../../src/index.ts";
import { dataCases, dataFolder } from "../support/data.ts";

const models = dataFolder("onnx-models");
const nodeTests = dataFolder("onnx-node-tests");

describe.skipIf(models === undefined)("published models", () => {
  test.each(dataCases(models))("%s comes back the same", (name) => {
    const bytes = readFileSync(join(models!, name, "model.onnx"));
    const model = decodeModel(bytes);
    const again = encodeModel(model);
    expect(decodeModel(again)).toEqual(model);
    expect(encodeModel(decodeModel(again))).toEqual(again);
  });
});

describe.skipIf(nodeTests === undefined)("ONNX operator tests", () => {
  test.each(["node", "node-newer", "pytorch-converted", "pytorch-operator", "simple"])(
    "every model of %s comes back the same",
    (group) => {
      const folder = join(nodeTests!, group);
      const cases = dataCases(folder).filter((name) => existsSync(join(folder, name, "model.onnx")));
      expect(cases.length).toBeGreaterThan(0);
      for (const name of cases) {
        const model = decodeModel(readFileSync(join(folder, name, "model.onnx")));
        const again = encodeModel(model);
        expect(decodeModel(again), name).toEqual(model);
      }
    },
  );
});
