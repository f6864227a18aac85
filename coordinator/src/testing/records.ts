import {
  asDeviceId,
  asModelName,
  asModelVersion,
  asPopulationName,
  asRoundId,
  asTaskName,
  sha256,
} from "@tributary/core";
import { parseTaskSpec, type Lineage, type AuditAction, type NewAuditRecord } from "@tributary/protocol";
import type { DeviceRecord } from "../ports/device-records.ts";
import type { BlobRef, ModelRecord, VersionRecord, VersionStateRecord } from "../ports/model-records.ts";
import type { ReleaseChange, TufRole } from "../ports/release-records.ts";
import type { RoundRecord } from "../ports/round-records.ts";
import type { TaskRecord } from "../ports/task-records.ts";

// Records as the coordinator would store them, for suites and tests; override what a test is about.

const text = new TextEncoder();

export function exampleBlob(content: string): BlobRef {
  const bytes = text.encode(content);
  return { digest: sha256(bytes), sizeBytes: bytes.length };
}

export function exampleModel(changes: Partial<ModelRecord> = {}): ModelRecord {
  return {
    name: asModelName("digits"),
    currentVersion: asModelVersion(1),
    releasedVersion: asModelVersion(1),
    releasedAt: 1_790_000_000_000,
    parameters: [
      { name: "dense.weight", shape: [10, 784] },
      { name: "dense.bias", shape: [10] },
    ],
    parameterCount: 7850,
    format: "onnx",
    graph: exampleBlob("graph"),
    trainingGraph: exampleBlob("training graph"),
    inputs: [{ name: "image", dtype: "float32", shape: [-1, 1, 28, 28] }],
    outputs: [{ name: "logits", dtype: "float32", shape: [-1, 10] }],
    labels: ["0", "1"],
    processing: { output: { name: "logits", activation: "softmax", topK: 2 } },
    explanation: exampleBlob("explanation graph"),
    personalisation: {
      document: exampleBlob("personalisation"),
      graphs: [exampleBlob("head graph"), exampleBlob("low-rank graph")],
    },
    cardNotes: null,
    retention: null,
    variants: ["int8-dynamic", "int8-static"],
    createdAt: 1_790_000_000_000,
    ...changes,
  };
}

/** Of version `number`, as rounds make it. */
export function exampleLineage(number: number): Lineage {
  return {
    madeBy: {
      kind: "task",
      task: asTaskName("digits-task"),
      plan: { number: 1, digest: exampleBlob("plan").digest },
    },
    cohorts: [{ round: asRoundId(`digits-task-${number}`), updates: 3, numExamples: 30, staleness: null }],
    evaluation: { dataset: exampleBlob("held out").digest, examples: 100 },
    intervals: { accuracy: { lower: 0.8, upper: 0.95, confidence: 0.95 } },
    privacy: {
      epsilon: null,
      reason: "no noise",
      secureAggregation: { minimumCohort: 16 },
      maxUpdateNorm: 10,
    },
    code: { coordinator: "0.1.0" },
    dataSchema: {
      digest: exampleBlob("data schema").digest,
      inputs: [{ name: "image", dtype: "float32", shape: [-1, 1, 28, 28] }],
      outputs: [{ name: "logits", dtype: "float32", shape: [-1, 10] }],
      labels: [{ name: "labels", dtype: "int32", shape: [-1] }],
      classes: 2,
    },
  };
}

/** Version `number` of the example model, grown out of the one before it. */
export function exampleVersion(number: number, changes: Partial<VersionRecord> = {}): VersionRecord {
  return {
    model: asModelName("digits"),
    version: asModelVersion(number),
    parentVersion: number === 1 ? null : asModelVersion(number - 1),
    roundId: null,
    createdAt: 1_790_000_000_000 + number,
    graph: exampleBlob("graph"),
    weights: exampleBlob(`weights ${number}`),
    int8: exampleBlob(`int8 ${number}`),
    variants: [
      { name: "int8-dynamic", ...exampleBlob(`int8-dynamic ${number}`) },
      {
        name: "int8-static",
        ...exampleBlob(`int8-static ${number}`),
        scales: exampleBlob(`scales ${number}`),
        sample: { image: [0, 0.5, 1] },
      },
    ],
    parameterCount: 7850,
    loss: number === 1 ? null : 0.5 / number,
    accuracy: number === 1 ? null : 0.9,
    metrics: number === 1 ? {} : { mae: [0.25] },
    cohort: 0,
    numExamples: 0,
    strategy: null,
    releasedAt: 1_790_000_000_000 + number,
    gate: null,
    trust: number === 1 ? null : { compared: 5, trusted: 4, mean: 0.5, lowest: 0, highest: 0.9 },
    requiredRuntime: null,
    selfCheck:
      number === 1
        ? null
        : {
            seed: "x",
            tolerance: 0.001,
            float32: [{ name: "y", values: [1, 2] }],
            int8: [{ name: "y", values: [1, 2] }],
          },
    lineage: number === 1 ? null : exampleLineage(number),
    ...changes,
  };
}

/** What version `number` of the example model came from. */
export function exampleVersionState(
  number: number,
  changes: Partial<VersionStateRecord> = {},
): VersionStateRecord {
  return {
    model: asModelName("digits"),
    version: asModelVersion(number),
    task: asTaskName("digits-task"),
    plan: exampleBlob("plan"),
    trainingRound: number - 1,
    stepPrecision: "int8",
    aggregate: exampleBlob(`aggregate ${number}`),
    before:
      number === 2
        ? null
        : { state: exampleBlob(`state ${number - 1}`), residual: exampleBlob(`residual ${number - 1}`) },
    after: { state: exampleBlob(`state ${number}`), residual: exampleBlob(`residual ${number}`) },
    ...changes,
  };
}

export function exampleTask(changes: Partial<TaskRecord> = {}): TaskRecord {
  return {
    name: asTaskName("digits-task"),
    model: asModelName("digits"),
    population: asPopulationName("default"),
    state: "running",
    spec: parseTaskSpec({ name: "digits-task", model: "digits" }),
    plan: { number: 1, target: "plans/digits-task/1.json", ...exampleBlob("plan") },
    gatePlan: null,
    gate: null,
    createdAt: 1_790_000_000_000,
    reason: null,
    activeSince: 1_790_000_000_000,
    ...changes,
  };
}

/** An open round `number` of the example task. */
export function exampleRound(number: number, changes: Partial<RoundRecord> = {}): RoundRecord {
  return {
    id: asRoundId(`digits-task-${number}`),
    task: asTaskName("digits-task"),
    model: asModelName("digits"),
    number,
    purpose: "train",
    phase: "training",
    baseVersion: asModelVersion(1),
    version: null,
    startedAt: 1_790_000_000_000 + number,
    endedAt: null,
    deadlineAt: 1_790_000_060_000,
    phases: [{ phase: "selecting", at: 1_790_000_000_000 + number, dropouts: 0 }],
    offered: 4,
    ready: 0,
    cohort: 0,
    reported: 0,
    dropouts: 0,
    refused: 0,
    numExamples: 0,
    trainLoss: null,
    trainAccuracy: null,
    loss: null,
    accuracy: null,
    bytesUp: 0,
    bytesDown: 0,
    seconds: null,
    reason: null,
    secure: null,
    config: { goalCount: 3 },
    ...changes,
  };
}

export function exampleDevice(index: number, changes: Partial<DeviceRecord> = {}): DeviceRecord {
  return {
    deviceId: asDeviceId(index.toString(16).padStart(32, "0")),
    population: asPopulationName("default"),
    publicKey: new Uint8Array(32).fill(index),
    state: "active",
    enrolledAt: 1_790_000_000_000,
    certificateSerial: `serial-${index}`,
    certificateExpiresAt: 1_800_000_000_000,
    lastSeenAt: null,
    software: null,
    refusedBefore: null,
    ...changes,
  };
}

/** A release of the given number; its metadata are bytes that nobody verifies. */
export function exampleRelease(number: number, changes: Partial<ReleaseChange> = {}): ReleaseChange {
  const metadata = (role: TufRole) => ({
    role,
    version: number,
    bytes: text.encode(`${role} ${number}`),
  });
  return {
    expectedTimestampVersion: number === 1 ? null : number - 1,
    metadata: [metadata("targets"), metadata("snapshot"), metadata("timestamp")],
    put: [
      {
        role: "digits",
        path: `models/digits/versions/${number}/weights.safetensors`,
        ...exampleBlob(`weights ${number}`),
        custom: { version: number },
      },
    ],
    remove: [],
    roles: [],
    drafts: [],
    ...changes,
  };
}

/** A record that is to be written. */
export function exampleAudit(action: AuditAction, changes: Partial<NewAuditRecord> = {}): NewAuditRecord {
  return {
    actor: { kind: "operator", via: "http" },
    action,
    object: { model: asModelName("digits") },
    detail: { digest: exampleBlob("document").digest, loss: 0.25 },
    ...changes,
  };
}
