import { createApiClient, type ApiClient, type RoundView } from "@tributary/api-client";
import { asTaskName, sha256, type Digest, type RoundId, type TaskName } from "@tributary/core";
import { count, createMetrics, trainingMetrics } from "@tributary/metrics";
import { splitWeights } from "@tributary/onnx";
import { decodeUpdateHeader, encodeUpdate, parseTaskSpec } from "@tributary/protocol";
import { parametersFromSafetensors, schemaDigest, type ParameterSet } from "@tributary/tensor";
import { mintToken } from "./enrolment-token.ts";
import { enrol, ScriptedDevice } from "./scripted-device.ts";

/** What a coordinator that a test talks to has to offer. */
export interface Target {
  readonly url: string;
  readonly dataDir: string;
  readonly operatorToken: string;
}

export interface ScriptedRoundOptions {
  /** ONNX bytes. */
  readonly model: Uint8Array;
  readonly devices: number;
  readonly cohort?: Partial<{
    goalCount: number;
    minimumCount: number;
    trainDeadlineMs: number;
    reportDeadlineMs: number;
  }>;
  readonly maxUpdateNorm?: number;
  /** @defaultValue 1 */
  readonly rounds?: number;
  /** Of model and task. @defaultValue "scripted" */
  readonly name?: string;
}

/** An update as a test describes it: every value is `fill`, unless `values` gives them. */
export interface ScriptedUpdate {
  readonly numExamples: number;
  readonly fill?: number;
  readonly values?: Float32Array;
  readonly metrics?: readonly number[];
  /** What the header claims; default: that of the model. */
  readonly schemaDigest?: Digest;
  /** @defaultValue the first round of the task */
  readonly roundId?: RoundId;
}

/** A model and a task on a real coordinator, and devices whose training is whatever the test says. */
export interface ScriptedRound {
  readonly api: ApiClient;
  readonly devices: readonly ScriptedDevice[];
  readonly base: ParameterSet;
  readonly task: TaskName;
  readonly roundId: RoundId;
  /** The body a well-behaved device would upload. */
  body(update: ScriptedUpdate): Uint8Array<ArrayBuffer>;
  /** Says ready with this body and waits to be asked for it. */
  ready(device: ScriptedDevice, body: Uint8Array, numExamples: number): Promise<void>;
  uploadAll(update: (index: number) => ScriptedUpdate): Promise<void>;
  /** Waits for the round's end by its event-sourced view. */
  ended(): Promise<RoundView>;
  committed(): Promise<RoundView>;
  /** Exact float32 weights of a version, as devices download them. */
  weights(version: number): Promise<ParameterSet>;
  close(): void;
}

/** Deadlines for rounds whose length is what is measured. */
export const PATIENT = { trainDeadlineMs: 3_600_000, reportDeadlineMs: 3_600_000 } as const;

/** Devices that enrol, connect or upload at a time: no more bodies are in memory, and no more greetings under way. */
const LANES = 8;
const HEARTBEAT_MS = 10_000;

export async function createScriptedRound(
  target: Target,
  options: ScriptedRoundOptions,
): Promise<ScriptedRound> {
  const name = asTaskName(options.name ?? "scripted");
  const api = createApiClient({ baseUrl: target.url, token: target.operatorToken });
  const { parameters } = splitWeights(options.model);
  await api.publishModel(name, options.model);
  const devices: ScriptedDevice[] = [];
  // Many of them take long, and silent ones are taken for gone.
  const heartbeats = setInterval(() => {
    for (const device of devices)
      if (device.closed === undefined) device.send({ type: "heartbeat", nonce: 0 });
  }, HEARTBEAT_MS);
  await inLanes(options.devices, async () => {
    const identity = await enrol(target.url, await mintToken(target.dataDir));
    devices.push(await ScriptedDevice.connectPatiently(target.url, identity));
  });
  await api.createTask(
    parseTaskSpec({
      name,
      model: name,
      rounds: options.rounds ?? 1,
      local: { maxExamples: 10_000 },
      cohort: {
        goalCount: options.devices,
        minimumCount: options.devices,
        overSelection: 1,
        ...options.cohort,
      },
      // What a coordinator does with single updates is the subject.
      secureAggregation: { mode: "off" },
      stepPrecision: "float32",
      ...(options.maxUpdateNorm === undefined ? {} : { maxUpdateNorm: options.maxUpdateNorm }),
    }),
  );
  for (const device of devices) device.send({ type: "check-in", task: name, examples: 10_000 });
  const offers = await Promise.all(devices.map((device) => device.next("offer", 60_000)));
  const roundId = offers[0]!.roundId;

  const round: ScriptedRound = {
    api,
    devices,
    base: parameters,
    task: name,
    roundId,
    body({ numExamples, fill = 0, values, metrics = plausibleMetrics(numExamples), ...more }) {
      const numbers = values ?? new Float32Array(parameters.values.length).fill(fill);
      return encodeUpdate(
        {
          roundId: more.roundId ?? roundId,
          task: name,
          schemaDigest: more.schemaDigest ?? schemaDigest(parameters.schema),
          numExamples,
          metrics,
        },
        numbers,
      );
    },
    async ready(device, body, numExamples) {
      device.send({
        type: "ready",
        roundId: decodeUpdateHeader(body).header.roundId as RoundId,
        numExamples,
        updateDigest: sha256(body),
        sizeBytes: body.length,
      });
    },
    async uploadAll(update) {
      // Bodies are made twice rather than kept: a hundred large ones would fill this process's memory.
      for (const [index, device] of devices.entries()) {
        const described = update(index);
        await round.ready(device, round.body(described), described.numExamples);
        // Heartbeats come between.
        await new Promise((resolve) => setImmediate(resolve));
      }
      const upload = async (index: number): Promise<void> => {
        await devices[index]!.next("request-report", 120_000);
        const answer = await devices[index]!.upload(roundId, round.body(update(index)));
        if (answer.status !== 202)
          throw new Error(`upload ${index} was refused: ${answer.status} ${answer.code}`);
      };
      await inLanes(devices.length, upload);
    },
    async ended() {
      const over = async (device: ScriptedDevice): Promise<void> => {
        for (;;) {
          const { result } = await device.next("outcome", 60_000);
          if (result === "committed" || result === "abandoned") return;
        }
      };
      await Promise.any(devices.filter((device) => device.closed === undefined).map(over));
      const { rounds } = await api.rounds(name);
      return rounds.find(({ id }) => id === roundId)!;
    },
    async committed() {
      const view = await round.ended();
      if (view.phase !== "committed") throw new Error(`the round was ${view.phase}: ${view.reason}`);
      return view;
    },
    async weights(version) {
      const view = (await api.versions(name)).versions.find((each) => each.version === version);
      const response = await fetch(`${target.url}/v1/blobs/${view!.weightsDigest}`);
      return parametersFromSafetensors(parameters.schema, new Uint8Array(await response.arrayBuffer()));
    },
    close() {
      clearInterval(heartbeats);
      for (const device of devices) device.close();
    },
  };
  return round;
}

/** Does something for each index, several at a time, as devices do it. */
async function inLanes(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

/** Sums a device that trained one epoch on so many examples would report. */
function plausibleMetrics(numExamples: number): number[] {
  const metrics = createMetrics(trainingMetrics);
  count(trainingMetrics, metrics, "lossSum", numExamples);
  count(trainingMetrics, metrics, "correct", Math.floor(numExamples / 2));
  count(trainingMetrics, metrics, "examples", numExamples);
  count(trainingMetrics, metrics, "steps", Math.ceil(numExamples / 10));
  return [...metrics];
}
