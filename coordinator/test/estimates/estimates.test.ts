import { buildLinear } from "@tributary/onnx";
import {
  createApiClient,
  type ApiClient,
  type EstimateView,
} from "../../../packages/api-client/src/index.ts";
import { heldOutDigits } from "@tributary/simulator";
import { tensor, writeSafetensors } from "@tributary/tensor";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { codeOf } from "../../src/testing/index.ts";
import { runningCoordinator, type RunningCoordinator } from "../running-coordinator.ts";

/** A thread of its own reads the simulator's sources first, on a machine that does much else. */
const LONG_MS = 280_000;

describe("an estimate", { timeout: LONG_MS + 10_000 }, () => {
  let running: RunningCoordinator;
  let api: ApiClient;
  let dataset: string;

  beforeAll(async () => {
    running = await runningCoordinator();
    api = createApiClient({ baseUrl: running.url, token: running.operatorToken });
    await api.publishModel("digits", buildLinear({ seed: 1 }));
    const { images, labels } = heldOutDigits({ seed: "estimate", count: 400 });
    const file = writeSafetensors([
      ["images", tensor("uint8", [400, 1, 28, 28], images)],
      ["labels", tensor("int32", [400], Int32Array.from(labels))],
    ]);
    ({ digest: dataset } = await api.uploadBlob(file));
  });
  afterAll(() => running?.end());

  const task = (more: object = {}) => ({
    name: "digits",
    model: "digits",
    cohort: { goalCount: 4, minimumCount: 2 },
    secureAggregation: { minimumCohort: 3 },
    ...more,
  });
  const ended = (id: string): Promise<EstimateView> =>
    vi.waitUntil(
      async () => {
        const estimate = await api.estimate(id);
        return estimate.state === "waiting" || estimate.state === "running" ? undefined : estimate;
      },
      { timeout: LONG_MS, interval: 100 },
    );

  test("plays the rounds of a task on its data set for evaluation", async () => {
    const asked = await api.estimateTask({
      task: task({ rounds: 3, evaluation: { dataset }, local: { learningRate: 0.1 } }),
      fleet: { devices: 40, examplesPerDevice: 20, labels: "skewed" },
      budgetSeconds: 60,
    });
    expect(["waiting", "running"]).toContain(asked.state);
    const { state, result, error } = await ended(asked.id);
    expect(error).toBeNull();
    expect(state).toBe("done");
    expect(result).toMatchObject({ data: "evaluation", rounds: 3, roundsToAccuracy: null });
    expect(result!.accuracy).toBeGreaterThan(0.1);
    expect(result!.caveats).toContain("rows-drawn-again");
    // An update of the linear model under masks is some ten thousand bytes.
    expect(result!.perDevice.bytesUp).toBeGreaterThan(1_000);
    expect(result!.roundSeconds.median).toBeGreaterThan(0);
    expect(result!.coordinatorCpuSeconds).toBeGreaterThan(0);
    // Nothing was made of it.
    expect(await api.tasks()).toEqual([]);
  });

  test("without a data set is of random numbers, and is cancelled on demand while another waits", async () => {
    const long = await api.estimateTask({ task: task({ rounds: 100_000 }), budgetSeconds: 120 });
    const next = await api.estimateTask({ task: task({ rounds: 1 }), budgetSeconds: 60 });
    expect(next.state).toBe("waiting");
    expect((await api.cancelEstimate(long.id)).state).toBe("cancelled");
    expect((await api.estimate(long.id)).state).toBe("cancelled");
    const { result } = await ended(next.id);
    expect(result).toMatchObject({ data: "random", rounds: 1, accuracy: null });
  });

  test("what no simulation plays is refused at once, a document that is wrong at its field", async () => {
    const evaluate = { name: "e", model: "digits", kind: "evaluate", rounds: 1 };
    expect(await codeOf(api.estimateTask({ task: evaluate }))).toBe("coordinator/estimate-unsupported");
    expect(await codeOf(api.estimateTask({ task: { name: "x" } }))).toBe("protocol/invalid-document");
    expect(await codeOf(api.estimateTask({ task: task(), budgetSeconds: 1e9 }))).toBe(
      "protocol/invalid-document",
    );
    expect(await codeOf(api.estimate("0".repeat(32)))).toBe("coordinator/unknown-estimate");
    const wrong = api.validateTask(task({ cohort: { goalCount: 0 } }));
    await expect(wrong).rejects.toMatchObject({ detail: { path: "/cohort/goalCount" } });
    expect(await codeOf(api.validateTask(task({ model: "none" })))).toBe("coordinator/unknown-model");
    expect(await api.validateTask(task())).toMatchObject({
      strategy: { name: "fedAvg" },
      cohort: { goalCount: 4 },
    });
    expect(await codeOf(createApiClient({ baseUrl: running.url }).validateTask(task()))).toBe(
      "identity/not-authorized",
    );
  });
});
