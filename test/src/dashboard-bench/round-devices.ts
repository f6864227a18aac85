import { createApiClient } from "@tributary/api-client";
import { asTaskName, sha256, type RoundId } from "@tributary/core";
import { count, createMetrics, trainingMetrics } from "@tributary/metrics";
import { splitWeights } from "@tributary/onnx";
import { encodeUpdate, parseTaskSpec } from "@tributary/protocol";
import { schemaDigest } from "@tributary/tensor";
import { mintToken } from "../enrolment-token.ts";
import { enrol, ScriptedDevice } from "../scripted-device.ts";
import { PATIENT, type Target } from "../scripted-round.ts";

export interface RoundDevices {
  readonly task: string;
  /** All devices check in, are asked, and report: from the first check-in to the version. @returns milliseconds */
  round(): Promise<number>;
  close(): void;
}

const NAME = asTaskName("watched");
const LANES = 8;
const HEARTBEAT_MS = 10_000;
const NUM_EXAMPLES = 10;

/** Devices that take part in one round after the other, each when it is told to. */
export async function connectDevices(
  target: Target,
  {
    model,
    devices: count_,
    rounds,
  }: { readonly model: Uint8Array; readonly devices: number; readonly rounds: number },
): Promise<RoundDevices> {
  const api = createApiClient({ baseUrl: target.url, token: target.operatorToken });
  const { parameters } = splitWeights(model);
  await api.publishModel(NAME, model);
  const devices: ScriptedDevice[] = [];
  const heartbeats = setInterval(() => {
    for (const device of devices)
      if (device.closed === undefined) device.send({ type: "heartbeat", nonce: 0 });
  }, HEARTBEAT_MS);
  await inLanes(count_, async () => {
    const identity = await enrol(target.url, await mintToken(target.dataDir));
    devices.push(await ScriptedDevice.connectPatiently(target.url, identity));
  });
  await api.createTask(
    parseTaskSpec({
      name: NAME,
      model: NAME,
      rounds,
      pauseBetweenRoundsMs: 0,
      local: { maxExamples: 10_000 },
      cohort: { goalCount: count_, minimumCount: count_, overSelection: 1, ...PATIENT },
      secureAggregation: { mode: "off" },
      stepPrecision: "float32",
      release: "manual",
    }),
  );
  const schema = schemaDigest(parameters.schema);
  const values = new Float32Array(parameters.values.length).fill(1e-4);
  const metrics = createMetrics(trainingMetrics);
  count(trainingMetrics, metrics, "lossSum", NUM_EXAMPLES);
  count(trainingMetrics, metrics, "correct", NUM_EXAMPLES / 2);
  count(trainingMetrics, metrics, "examples", NUM_EXAMPLES);
  count(trainingMetrics, metrics, "steps", 1);

  return {
    task: NAME,
    async round() {
      const began = performance.now();
      for (const device of devices) device.send({ type: "check-in", task: NAME, examples: 10_000 });
      const offers = await Promise.all(devices.map((device) => device.next("offer", 120_000)));
      const roundId = offers[0]!.roundId as RoundId;
      // All train to the same: what a round costs does not depend on it.
      const body = encodeUpdate(
        { roundId, task: NAME, schemaDigest: schema, numExamples: NUM_EXAMPLES, metrics: [...metrics] },
        values,
      );
      const claim = { updateDigest: sha256(body), sizeBytes: body.length, numExamples: NUM_EXAMPLES };
      for (const device of devices) device.send({ type: "ready", roundId, ...claim });
      await inLanes(devices.length, async (index) => {
        await devices[index]!.next("request-report", 120_000);
        const { status, code } = await devices[index]!.upload(roundId, body);
        if (status !== 202) throw new Error(`upload ${index} was refused: ${status} ${code}`);
      });
      const outcomes = await Promise.all(devices.map((device) => device.next("outcome", 120_000)));
      const failed = outcomes.find(({ result }) => result !== "committed");
      if (failed !== undefined) throw new Error(`a round was ${failed.result}: ${failed.code}`);
      return performance.now() - began;
    },
    close() {
      clearInterval(heartbeats);
      for (const device of devices) device.close();
    },
  };
}

async function inLanes(total: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < total) await work(next++);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}
