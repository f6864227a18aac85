import { existsSync } from "node:fs";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { runCase } from "../support/backend-case.ts";
import { dataCases, dataFolder } from "../support/data.ts";
import type { TestEngine } from "../support/engines.ts";
import { integerProductsSaturate } from "../support/saturation.ts";
import { SATURATING, XFAILS } from "./xfails.ts";

// Every published model and operator test: read, written, run, compared; and shape inference against the
// shapes that came out. All of it takes a few seconds, so nothing is sampled.

const GROUPS = {
  "onnx-models": dataFolder("onnx-models"),
  ...Object.fromEntries(
    ["node", "node-newer", "pytorch-converted", "pytorch-operator", "simple"].map((group) => [
      group,
      dataFolder(join("onnx-node-tests", group)),
    ]),
  ),
};

/** Unoptimized, as the expected values were made: what runs is what the file says. */
const engine: TestEngine = {
  name: "ort-node",
  Tensor: ort.Tensor,
  load: (model) =>
    ort.InferenceSession.create(model, {
      graphOptimizationLevel: "disabled",
      interOpNumThreads: 1,
      intraOpNumThreads: 1,
      logSeverityLevel: 4,
    }),
};

const reasons = new Map(
  Object.entries(XFAILS).flatMap(([reason, cases]) => cases.map((name) => [name, reason] as const)),
);

describe.each(Object.entries(GROUPS))("%s", (group, folder) => {
  const names = dataCases(folder).filter((name) => existsSync(join(folder!, name, "model.onnx")));

  test.skipIf(folder === undefined)(
    "read, written and run, gives the published outputs in the inferred shapes",
    async () => {
      expect(names.length).toBeGreaterThan(0);
      const problems: string[] = [];
      const saturates = await integerProductsSaturate(engine);
      for (const name of names) {
        const id = `${group}/${name}`;
        const reason = saturates && SATURATING.includes(id) ? "saturates" : reasons.get(id);
        const { run, shape, open } = await runCase(engine, join(folder!, name), group === "onnx-models");
        if (run !== undefined && reason === undefined) problems.push(`${id}: ${run}`);
        if (run === undefined && reason !== undefined)
          problems.push(`${id} passes now: take it out of xfails`);
        if (shape !== undefined) problems.push(`${id}: ${shape}`);
        // Decomposed functions compute shapes with operators that inference does not evaluate.
        if (open.length > 0 && !name.includes("_expanded"))
          problems.push(`${id}: ${open.join(", ")} not inferred`);
      }
      expect(problems).toEqual([]);
    },
    60_000,
  );

  test.skipIf(folder === undefined)("has every case that xfails names", () => {
    const known = new Set(names.map((name) => `${group}/${name}`));
    const stale = [...reasons.keys()].filter((id) => id.startsWith(`${group}/`) && !known.has(id));
    expect(stale).toEqual([]);
  });
});
