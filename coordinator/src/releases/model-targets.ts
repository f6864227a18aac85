import { encodeUtf8, sha256 } from "@tributary/core";
import type { ModelVersion } from "@tributary/core";
import type { MeasurementContent, PlanContent } from "@tributary/federation/planning";
import {
  deltaPath,
  parseMeasurementPlan,
  parseModelManifest,
  parsePlan,
  type MeasurementPlan,
  type ModelManifest,
  type Plan,
} from "@tributary/protocol";
import type { BlobRef, ModelRecord, OptimizerRecord, TargetRecord, VersionRecord } from "../ports/records.ts";
import { timestamp } from "../registry/views.ts";
import type { TargetChanges } from "../rooms.ts";
import {
  controlFolder,
  controlPath,
  explanationPath,
  graphPath,
  int8WeightsPath,
  manifestPath,
  measurementPaths,
  microBatchPath,
  personalisationPath,
  planPaths,
  retiredPaths,
  variantPath,
  weightsPath,
} from "./target-paths.ts";

/** A JSON document that becomes a target: store the bytes as a blob before the release is committed. */
export interface TargetDocument {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly changes: TargetChanges;
}

type ManifestModel = Pick<
  ModelRecord,
  | "channel"
  | "format"
  | "parameters"
  | "inputs"
  | "outputs"
  | "labels"
  | "processing"
  | "explanation"
  | "personalisation"
>;

/**
 * The targets of a new version: its manifest on the model's channel, graph, float32 and int8 weights.
 * Versions beyond the newest 20 leave.
 *
 * @param current - the targets of the present release
 * @param kept - versions that stay although they are older
 */
export function versionTargets(
  model: ManifestModel,
  version: VersionRecord,
  current: Iterable<Pick<TargetRecord, "path">>,
  kept: readonly ModelVersion[] = [],
): TargetDocument {
  const { put, remove = [] } = unreleasedTargets(version, current, kept);
  const manifest = channelTargets(model, version);
  return { bytes: manifest.bytes, changes: { put: [...manifest.changes.put, ...put], remove } };
}

/** The targets of a new version that no channel points to yet: devices train from it, and measure it. */
export function unreleasedTargets(
  version: VersionRecord,
  current: Iterable<Pick<TargetRecord, "path">>,
  kept: readonly ModelVersion[],
): TargetChanges {
  const { model: name } = version;
  const paths = Array.from(current, ({ path }) => path);
  return {
    put: [
      blobTarget(graphPath(name, version.graph.digest), version.graph),
      blobTarget(weightsPath(name, version.version), version.weights),
      blobTarget(int8WeightsPath(name, version.version), version.int8),
      ...version.variants.map((each) => blobTarget(variantPath(name, version.version, each.name), each)),
    ],
    remove: retiredPaths(paths, name, version.version, kept),
  };
}

/** Moves the model's channel to a version whose other targets are there. */
export function channelTargets(model: ManifestModel, version: VersionRecord): TargetDocument {
  const { model: name } = version;
  const graph = graphPath(name, version.graph.digest);
  const weights = weightsPath(name, version.version);
  const int8 = int8WeightsPath(name, version.version);
  const explanation =
    model.explanation && blobTarget(explanationPath(name, model.explanation.digest), model.explanation);
  const personal = model.personalisation && {
    path: personalisationPath(name, model.personalisation.document.digest, "json"),
    graphs: model.personalisation.graphs.map((graph) =>
      blobTarget(personalisationPath(name, graph.digest, "onnx"), graph),
    ),
  };
  const manifest: ModelManifest = {
    ...(model.format === "onnx" ? { formatVersion: 2 } : { formatVersion: 3, format: model.format }),
    model: name,
    channel: model.channel,
    version: version.version,
    parentVersion: version.parentVersion,
    graph: { target: graph },
    weights: { float32: { target: weights }, int8: { target: int8 } },
    parameters: model.parameters,
    inputs: model.inputs,
    outputs: model.outputs,
    ...(model.labels === null ? {} : { labels: model.labels }),
    ...(model.processing === null ? {} : { processing: model.processing }),
    ...(explanation === null ? {} : { explanation: { target: explanation.path } }),
    ...(personal === null ? {} : { personalisation: { target: personal.path } }),
    ...(version.variants.length === 0
      ? {}
      : {
          variants: version.variants.map((each) => ({
            name: each.name,
            target: variantPath(name, version.version, each.name),
          })),
        }),
    createdAt: timestamp(version.createdAt),
  };
  const bytes = encodeUtf8(JSON.stringify(manifest));
  parseModelManifest(bytes); // devices will: what they would refuse must not be signed
  return {
    bytes,
    changes: {
      put: [
        documentTarget(manifestPath(name, model.channel), bytes),
        ...(explanation === null ? [] : [explanation]),
        ...(personal === null
          ? []
          : [blobTarget(personal.path, model.personalisation!.document), ...personal.graphs]),
      ],
    },
  };
}

/** The graphs by which batches of a plan are cut. */
export interface MicroBlobs {
  readonly parts: readonly { readonly batchSize: number; readonly blob: BlobRef }[];
  readonly step: BlobRef;
}

/** The targets of a task's plan: the document and its graphs. */
export function planTargets(
  number: number,
  content: PlanContent,
  graphs: {
    readonly train: BlobRef;
    readonly trainWebgpu?: BlobRef;
    readonly micro?: MicroBlobs;
    readonly evaluate: BlobRef;
  },
): TargetDocument & { readonly path: string } {
  const paths = planPaths(content.task, number);
  const { webgpu, micro, whole } = content.training;
  const partPath = (part: number | "step"): string => microBatchPath(content.task, number, part);
  const { parts, step } = graphs.micro ?? { parts: [], step: undefined };
  const plan: Plan = {
    ...content,
    formatVersion: 2,
    training: {
      target: paths.train,
      spec: content.training.spec,
      ...(webgpu === undefined ? {} : { webgpu: { target: paths.trainWebgpu, spec: webgpu.spec } }),
      ...(micro === undefined
        ? {}
        : {
            micro: {
              spec: micro.spec,
              parts: parts.map(({ batchSize }) => ({ batchSize, target: partPath(batchSize) })),
              step: { target: partPath("step"), spec: micro.step.spec },
            },
          }),
      ...(whole === undefined ? {} : { whole }),
    },
    evaluation: { target: paths.evaluate, spec: content.evaluation.spec },
  };
  const bytes = encodeUtf8(JSON.stringify(plan));
  parsePlan(bytes);
  return {
    path: paths.plan,
    bytes,
    changes: {
      put: [
        documentTarget(paths.plan, bytes),
        blobTarget(paths.train, graphs.train),
        ...(graphs.trainWebgpu === undefined ? [] : [blobTarget(paths.trainWebgpu, graphs.trainWebgpu)]),
        ...parts.map(({ batchSize, blob }) => blobTarget(partPath(batchSize), blob)),
        ...(step === undefined ? [] : [blobTarget(partPath("step"), step)]),
        blobTarget(paths.evaluate, graphs.evaluate),
      ],
    },
  };
}

/** The targets of a task's measurement plan: the document and, where examples are measured, its graph. */
export function measurementTargets(
  number: number,
  content: MeasurementContent,
  evaluate: BlobRef | undefined,
): TargetDocument & { readonly path: string } {
  const paths = measurementPaths(content.task, number);
  const plan: MeasurementPlan =
    content.kind === "telemetry"
      ? { ...content, formatVersion: 1 }
      : {
          ...content,
          formatVersion: 1,
          evaluation: { target: paths.evaluate, spec: content.evaluation.spec },
        };
  const bytes = encodeUtf8(JSON.stringify(plan));
  parseMeasurementPlan(bytes);
  return {
    path: paths.plan,
    bytes,
    changes: {
      put: [
        documentTarget(paths.plan, bytes),
        ...(evaluate === undefined ? [] : [blobTarget(paths.evaluate, evaluate)]),
      ],
    },
  };
}

/** The control variate that devices train the next round with: the strategy's state, in place of the one before. */
export function controlTargets(
  { task, version, state }: OptimizerRecord,
  current: Iterable<Pick<TargetRecord, "path">>,
): TargetChanges {
  const path = controlPath(task, version);
  const earlier = Array.from(current, (target) => target.path).filter(
    (each) => each.startsWith(controlFolder(task)) && each !== path,
  );
  return { put: [blobTarget(path, state)], remove: earlier };
}

/** What makes a version's file of the same file of version `from`, beside it. */
export function deltaTarget(path: string, from: ModelVersion, delta: BlobRef): TargetRecord {
  return blobTarget(deltaPath(path, from), delta);
}

/** Of a document whose bytes are in the blob store. */
export function documentTarget(path: string, bytes: Uint8Array): TargetRecord {
  return { path, digest: sha256(bytes), sizeBytes: bytes.length, custom: null };
}

function blobTarget(path: string, { digest, sizeBytes }: BlobRef): TargetRecord {
  return { path, digest, sizeBytes, custom: null };
}
