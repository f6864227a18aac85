import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createMlflowClient, mlflowOfEnvironment } from "../../src/runs/mlflow-client.ts";
import { mlflowRuns } from "../../src/runs/mlflow-runs.ts";
import { codeOf } from "../../src/testing/code-of.ts";
import { mlflowServer } from "./mlflow-server.ts";
import { recordedRuns, roundOf } from "./recorded-runs.ts";

let server: Awaited<ReturnType<typeof mlflowServer>>;
beforeEach(async () => {
  server = await mlflowServer();
});
afterEach(() => server.close());

const runsOf = (recorded: ReturnType<typeof recordedRuns>, more = {}) =>
  mlflowRuns({
    client: createMlflowClient({ trackingUri: `${server.url}/`, ...more }),
    source: recorded.source,
    url: () => "https://fl.example",
  });
/** Each point once, in order. */
const steps = (key = "round/committed") =>
  [...server.runs.values()].flatMap(({ metrics }) =>
    metrics.filter((each) => each.key === key).map(({ step }) => step),
  );
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

describe("a task on a tracking server", () => {
  test("is a run of its model's experiment, with parameters, points, and the version it came to", async () => {
    const recorded = recordedRuns(3);
    expect(await runsOf(recorded).push("digits")).toBe(3);
    expect([...server.experiments]).toEqual([["tributary/digits", "1"]]);
    const [run] = server.runs.values();
    expect(run!.info).toMatchObject({
      experiment_id: "1",
      run_name: "digits",
      status: "RUNNING",
      start_time: Date.parse("2026-01-01T00:00:00Z"),
    });
    expect(Object.fromEntries(run!.params)).toEqual({
      kind: "train",
      "strategy.name": "fedAdam",
      "local.learningRate": "0.1",
      trainable: '["a","b"]',
    });
    expect(run!.metrics.filter(({ step }) => step === 2)).toContainEqual({
      key: "held-out/loss",
      value: 0.5,
      step: 2,
      timestamp: Date.parse("2026-01-01T00:02:30Z"),
    });
    expect(run!.metrics.find(({ key }) => key === "round/selection-seconds")?.value).toBe(10);
    expect(run!.metrics.some(({ key }) => key === "held-out/accuracy")).toBe(false);
    expect(Object.fromEntries(run!.tags)).toMatchObject({
      "tributary.task": "digits",
      "tributary.version": "4",
      "tributary.version.weights": `sha256:${"4".padStart(64, "0")}`,
      "tributary.version.url": "https://fl.example/v1/models/digits/versions/4",
    });
  });

  test("is told within the limits of a batch, however long its past is", async () => {
    const recorded = recordedRuns(450);
    expect(await runsOf(recorded).push("digits")).toBe(450);
    expect(steps()).toEqual(upTo(450));
    expect(server.calls.filter((call) => call === "POST runs/log-batch").length).toBeGreaterThan(6);
  });

  test("goes on after a restart with what is new, and doubles nothing", async () => {
    const recorded = recordedRuns(2);
    await runsOf(recorded).push("digits");
    recorded.rounds.push(roundOf(3), roundOf(4, { phase: "abandoned", version: null, loss: null }));
    // Another process: it knows nothing of the first.
    const restarted = runsOf(recorded);
    expect([await restarted.push("digits"), await restarted.push("digits")]).toEqual([2, 0]);
    expect(server.runs.size).toBe(1);
    expect(steps()).toEqual(upTo(4));
    expect(steps("held-out/loss")).toEqual(upTo(3));
  });

  test("waits for rounds that are under way, or wait in a buffer", async () => {
    const recorded = recordedRuns(1);
    recorded.rounds.push(roundOf(2, { phase: "buffered" }), roundOf(3));
    const runs = runsOf(recorded);
    expect(await runs.push("digits")).toBe(1);
    recorded.rounds[1] = roundOf(2);
    expect(await runs.push("digits")).toBe(2);
    expect(steps()).toEqual([1, 2, 3]);
  });

  test("ends with its task, and begins again with it", async () => {
    const recorded = recordedRuns(2);
    const runs = runsOf(recorded);
    const status = async (state: string, code: string | null) => {
      Object.assign(recorded.task, { state, reason: code && { code, message: "" } });
      await runs.push("digits");
      return [...server.runs.values()][0]!.info.status;
    };
    expect(await status("finished", "rounds")).toBe("FINISHED");
    expect([...server.runs.values()][0]!.info.end_time).toBe(Date.parse("2026-01-01T00:02:30Z"));
    expect(await status("running", null)).toBe("RUNNING");
    expect(await status("paused", "operator")).toBe("SCHEDULED");
    expect(await status("paused", "consecutive-failures")).toBe("FAILED");
    const updates = server.calls.filter((call) => call === "POST runs/update").length;
    await status("paused", "consecutive-failures");
    expect(server.calls.filter((call) => call === "POST runs/update")).toHaveLength(updates);
  });

  test("doubles nothing where an answer is lost after the work was done", async () => {
    const recorded = recordedRuns(2);
    const runs = runsOf(recorded);
    for (const lost of ["POST experiments/create", "POST runs/create", "POST runs/log-batch"]) {
      let once = true;
      server.disturb = (call) => (call === lost && once ? ((once = false), "lost") : undefined);
      expect(await codeOf(runs.push("digits"))).toBe("coordinator/tracker-unreachable");
    }
    server.disturb = () => undefined;
    await runs.push("digits");
    recorded.rounds.push(roundOf(3));
    let batches = 0;
    server.disturb = (call) => (call === "POST runs/log-batch" && ++batches === 1 ? "lost" : undefined);
    expect(await codeOf(runs.push("digits"))).toBe("coordinator/tracker-unreachable");
    await runs.push("digits");
    expect([server.experiments.size, server.runs.size]).toEqual([1, 1]);
    expect(steps()).toEqual([1, 2, 3]);
  });

  test("says the server's own code where it refuses", async () => {
    server.disturb = () => ({ status: 403, error_code: "PERMISSION_DENIED" });
    await expect(runsOf(recordedRuns(1)).push("digits")).rejects.toMatchObject({
      code: "coordinator/tracker-refused",
      detail: { status: 403, problem: "PERMISSION_DENIED" },
    });
  });
});

describe("who asks", () => {
  test("is said by MLflow's own variables", () => {
    const uri = { MLFLOW_TRACKING_URI: "http://mlflow.example" };
    expect(mlflowOfEnvironment({})).toBeUndefined();
    expect(mlflowOfEnvironment(uri)).toEqual({ trackingUri: "http://mlflow.example" });
    expect(mlflowOfEnvironment({ ...uri, MLFLOW_TRACKING_TOKEN: "t" })).toMatchObject({ token: "t" });
    expect(
      mlflowOfEnvironment({ ...uri, MLFLOW_TRACKING_USERNAME: "u", MLFLOW_TRACKING_PASSWORD: "p" }),
    ).toMatchObject({ username: "u", password: "p" });
  });

  test.each([
    [{}, undefined],
    [{ token: "t" }, "Bearer t"],
    [{ username: "u", password: "p" }, `Basic ${Buffer.from("u:p").toString("base64")}`],
  ])("%o is sent as %s", async (more, authorization) => {
    await runsOf(recordedRuns(0), more).push("digits");
    expect(new Set(server.headers.map((headers) => headers.authorization))).toEqual(new Set([authorization]));
  });
});
