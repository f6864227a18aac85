import type { EngineChoice } from "@tributary/engine/check";
import { expect, test } from "vitest";
import { engineDiagnosis } from "../../src/updater/engine-diagnosis.ts";

const choice = (more: Partial<EngineChoice>): EngineChoice => ({
  engine: "ort-wasm",
  reference: "ort-wasm",
  candidate: "ort-webgpu",
  reason: "faster",
  relativeError: null,
  medianMs: {},
  ...more,
});

test("says of each engine that was tried how it did", () => {
  const medianMs = { "ort-wasm": 4, "ort-webgpu": 1 };
  const faster = choice({ engine: "ort-webgpu", relativeError: 1e-7, medianMs });
  expect(engineDiagnosis({ choice: faster, remembered: true })).toEqual({
    reason: "faster",
    remembered: true,
    tried: [
      { engine: "ort-wasm", verdict: "reference", relativeError: null, medianMs: 4 },
      { engine: "ort-webgpu", verdict: "agrees", relativeError: 1e-7, medianMs: 1 },
    ],
  });
  const wrong = choice({ reason: "disagrees", relativeError: 0.9 });
  expect(engineDiagnosis({ choice: wrong, remembered: false }).tried).toEqual([
    { engine: "ort-wasm", verdict: "reference", relativeError: null, medianMs: null },
    { engine: "ort-webgpu", verdict: "disagrees", relativeError: 0.9, medianMs: null },
  ]);
  const failed = choice({ reason: "failed", message: "out of memory" });
  expect(engineDiagnosis({ choice: failed, remembered: false }).tried[1]).toMatchObject({
    verdict: "failed",
    message: "out of memory",
  });
});

test("one engine alone was compared with nothing", () => {
  expect(engineDiagnosis(undefined)).toEqual({ tried: [], remembered: false });
  const untried = choice({ reason: "no-sample", message: "sizes differ" });
  expect(engineDiagnosis({ choice: untried, remembered: false }).tried).toMatchObject([
    { engine: "ort-wasm", verdict: "reference" },
    { engine: "ort-webgpu", verdict: "untried", message: "sizes differ" },
  ]);
  const only = choice({ candidate: null, reason: "only-engine" });
  expect(engineDiagnosis({ choice: only, remembered: false }).tried).toEqual([]);
});
