import { asTaskName } from "@tributary/core";
import { metricSchemaOf } from "@tributary/federation";
import { createMetrics, record } from "@tributary/metrics";
import { buildLinear } from "@tributary/onnx";
import { parseMeasurementPlan, type MeasurementPlan, type MeasurementView } from "@tributary/protocol";
import { tensor, writeSafetensors } from "@tributary/tensor";
import { afterEach, describe, expect, test } from "vitest";
import { measurementView } from "../../src/registry/measurement-view.ts";
import { bodyOf, ended, planOf } from "./measuring-devices.ts";
import { model, rooms, type Room, type RoundDevice } from "./rounds-room.ts";
import { ScriptedMember } from "./secure-member.ts";

const { open, dispose } = rooms();
afterEach(dispose);

const task = asTaskName("digits");
const noReference = { dataset: undefined, first: undefined };
const cohort = {
  goalCount: 3,
  minimumCount: 2,
  overSelection: 1,
  trainDeadlineMs: 20_000,
  reportDeadlineMs: 10_000,
};
const telemetry = { name: "digits", model, kind: "telemetry", rounds: 1, cohort };
const plain = { secureAggregation: { mode: "off" } };

async function devices(room: Room, count: number): Promise<RoundDevice[]> {
  const all = await Promise.all(Array.from({ length: count }, () => room.device()));
  for (const device of all) device.checkIn();
  return all;
}

/** Fifty images, each of one brightness: 0 to 49 of 255. */
function referenceFile(): Uint8Array {
  const images = new Uint8Array(50 * 784).map((_, i) => Math.floor(i / 784));
  return writeSafetensors([
    ["images", tensor("uint8", [50, 1, 28, 28], images)],
    [
      "labels",
      tensor(
        "int32",
        [50],
        new Int32Array(50).map((_, i) => i % 10),
      ),
    ],
  ]);
}

async function taskPlan(room: Room): Promise<MeasurementPlan> {
  return parseMeasurementPlan(await room.blobs.bytes((await room.registry.task(task)).plan.digest));
}

/** As many images of each brightness, from 0 to 1, counted as a device counts them. */
function counted(
  plan: MeasurementPlan,
  brightness: readonly number[],
  predicted: number,
): Float64Array<ArrayBuffer> {
  const schema = metricSchemaOf(plan.metrics);
  const vector = createMetrics(schema);
  for (const each of brightness) {
    record(schema, vector, "features.image.mean" as never, each);
    record(schema, vector, "predictions" as never, predicted);
  }
  return vector;
}

const spread = (from: number, to: number): number[] =>
  Array.from({ length: 60 }, (_, i) => (from + ((to - from) * i) / 60) / 255);

async function views(room: Room): Promise<MeasurementView[]> {
  const plan = await taskPlan(room);
  const reference = {
    dataset: plan.kind === "telemetry" ? plan.reference : undefined,
    first: await room.store.measurements.first(task),
  };
  return (await room.store.measurements.list(task)).map((each) => measurementView(each, reference));
}

describe("a task of telemetry", () => {
  test("sums what devices counted, in the bins of its plan", async () => {
    const room = await open();
    await room.registry.publish(model, buildLinear({ seed: 1 }));
    await room.registry.createTask({
      ...telemetry,
      ...plain,
      telemetry: ["errors", "predictions"],
    });
    const all = await devices(room, 3);
    for (const device of all) {
      const offer = await device.socket.next("offer-measurement");
      expect(offer).not.toHaveProperty("candidate");
      const plan = await planOf(room, offer);
      const names = plan.metrics.map(({ name }) => name);
      expect(names).toEqual(["runs", ...names.filter((name) => name.startsWith("errors.")), "predictions"]);
      const vector = new Float64Array(1 + (names.length - 2) + 12);
      vector[0] = 4;
      vector[1] = 1;
      vector[vector.length - 3] = 4; // class 8
      const body = bodyOf(offer, plan, vector, 1);
      device.ready(offer, body);
      void device.socket.next("request-report").then((request) => device.put(request, body));
    }
    expect(await ended(room)).toMatchObject({ phase: "committed", purpose: "telemetry", loss: null });
    const view = measurementView((await room.store.measurements.list(task))[0]!, noReference);
    expect(view).toMatchObject({ version: 1, candidate: null, devices: 3, comparison: null });
    expect(view.counters).toMatchObject({ runs: 12, "errors.engine/run-failed": 3 });
    expect(view.histograms["predictions"]?.counts).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0]);
  });

  test("has a data set as its reference: bins are its quantiles, and drift is measured against it", async () => {
    const room = await open();
    await room.registry.publish(model, buildLinear({ seed: 1 }));
    const { digest } = await room.blobs.put(referenceFile());
    await room.registry.createTask({
      ...telemetry,
      reference: digest,
      telemetry: ["features", "predictions", "labels"],
      rounds: 2,
      secureAggregation: { mode: "on", minimumCohort: 3, phaseDeadlineMs: 3_000 },
    });
    const plan = await taskPlan(room);
    if (plan.kind !== "telemetry" || plan.reference === undefined) throw new TypeError("no reference");
    const { examples, dataset, counts } = plan.reference;
    expect({ examples, dataset }).toEqual({ examples: 50, dataset: digest });
    expect(counts["features.image.mean"]?.slice(1, -1).every((count) => count >= 4 && count <= 6)).toBe(true);
    expect(counts["labels"]).toEqual([0, ...Array.from({ length: 10 }, () => 5), 0]);
    expect(counts["features.image.deviation"]).toEqual([0, 50, 0]);

    // Under masks, as everything that adds: first what the reference has, then brighter images.
    const all = await devices(room, 3);
    for (const [from, to, predicted] of [
      [0, 50, 3],
      [30, 80, 4],
    ] as const) {
      const members = await Promise.all(
        all.map((device) =>
          ScriptedMember.measuring(room.url, device, counted(plan, spread(from, to), predicted)),
        ),
      );
      await Promise.all(members.map((member) => member.go("unmask")));
      for (const device of all) {
        await device.socket.next("outcome");
        device.checkIn();
      }
    }
    expect(await ended(room, 2)).toMatchObject({ phase: "committed" });
    const [second, first] = await views(room);
    const driftOf = (view: MeasurementView | undefined, name: string) =>
      view?.drift.find(({ metric }) => metric === name);
    expect(driftOf(first, "features.image.mean")).toMatchObject({
      reference: { source: "dataset", roundId: null, count: 50 },
      count: 180,
      beyondNoise: false,
    });
    // What the data set says nothing of is compared with the first measurement.
    expect(driftOf(first, "predictions")).toBeUndefined();
    expect(second?.drift[0]).toMatchObject({ beyondNoise: true });
    expect(driftOf(second, "predictions")).toMatchObject({
      reference: { source: "measurement", roundId: first?.roundId, version: 1, count: 180 },
      ks: null,
      beyondNoise: true,
    });
    const brighter = driftOf(second, "features.image.mean")!;
    expect(brighter.psi).toBeGreaterThan(1);
    expect(brighter.ks).toBeGreaterThan(0.5);
    expect(brighter.psiLimit).toBeLessThan(0.6);
  });

  test("refuses a reference that does not fit the model, and one of a task that needs none", async () => {
    const room = await open();
    await room.registry.publish(model, buildLinear({ seed: 1 }));
    const { digest } = await room.blobs.put(
      writeSafetensors([
        ["images", tensor("float32", [2, 3], new Float32Array(6))],
        ["labels", tensor("int32", [2], new Int32Array(2))],
      ]),
    );
    await expect(
      room.registry.createTask({ ...telemetry, ...plain, reference: digest }),
    ).rejects.toMatchObject({
      code: "coordinator/invalid-task",
      detail: { path: "/reference" },
    });
    await expect(
      room.registry.createTask({ ...telemetry, ...plain, kind: "evaluate", reference: digest }),
    ).rejects.toMatchObject({ code: "protocol/invalid-document", detail: { path: "/reference" } });
  });
});
