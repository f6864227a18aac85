import {
  asModelName,
  encodeUtf8,
  sha256,
  type ModelName,
  type ModelVersion,
  type TaskName,
} from "@tributary/core";
import type { MeasurementContent, PlanContent } from "@tributary/federation/planning";
import {
  deltaPath,
  parseMeasurementPlan,
  parseModelManifest,
  parsePlan,
  STABLE_CHANNEL,
  VARIANT_USES,
  type MeasurementPlan,
  type ModelManifest,
  type Plan,
} from "@tributary/protocol";
import type { BlobRef, ModelRecord, OptimizerRecord, VersionRecord } from "../ports/model-records.ts";
import type { TargetRecord } from "../ports/release-records.ts";
import { timestamp } from "../registry/views.ts";
import type { TargetChanges } from "../rooms.ts";
import { modelRole, trainingRole } from "./roles.ts";
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
  "format" | "parameters" | "inputs" | "outputs" | "labels" | "processing" | "explanation" | "personalisation"
>;

/** The targets of a new version that is released: the manifest of the channel stable, graph, float32 and int8 weights. */
export function versionTargets(model: ManifestModel, version: VersionRecord): TargetDocument {
  const manifest = channelTargets(model, version, STABLE_CHANNEL);
  // A version of a round is what devices train from next, whoever signs for its release.
  const own = version.roundId === null ? [] : unreleasedTargets(version);
  return { bytes: manifest.bytes, changes: { put: [...manifest.changes.put, ...own] } };
}

/** The targets of a new version that no channel points to yet, signed by the role of trainings: devices train from it, and measure it. */
export function unreleasedTargets(version: VersionRecord): readonly TargetRecord[] {
  return fileTargets(version, trainingRole(version.model));
}

/** The files of a version, which a role signs for. */
function fileTargets(
  { model, version, weights, int8, variants }: VersionRecord,
  role: string,
): TargetRecord[] {
  return [
    blobTarget(role, weightsPath(model, version), weights),
    blobTarget(role, int8WeightsPath(model, version), int8),
    ...variants.map((each) => blobTarget(role, variantPath(model, version, each.name), each)),
  ];
}

/**
 * Moves a channel to a version. The model's role signs for all of it, also for what the role of trainings signed before.
 *
 * @param path - of the manifest, where it is that of a rollout's arm and not the channel's own
 */
export function channelTargets(
  model: ManifestModel,
  version: VersionRecord,
  channel: string,
  path: string = manifestPath(version.model, channel),
): TargetDocument {
  const { model: name } = version;
  const role = modelRole(name);
  const graph = graphPath(name, version.graph.digest);
  const weights = weightsPath(name, version.version);
  const int8 = int8WeightsPath(name, version.version);
  const explanation =
    model.explanation && blobTarget(role, explanationPath(name, model.explanation.digest), model.explanation);
  const personal = model.personalisation && {
    path: personalisationPath(name, model.personalisation.document.digest, "json"),
    graphs: model.personalisation.graphs.map((graph) =>
      blobTarget(role, personalisationPath(name, graph.digest, "onnx"), graph),
    ),
  };
  const manifest: ModelManifest = {
    ...(model.format === "onnx" ? { formatVersion: 2 } : { formatVersion: 3, format: model.format }),
    model: name,
    channel,
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
            ...VARIANT_USES[each.name],
            ...(each.sample === undefined ? {} : { sample: each.sample }),
          })),
        }),
    ...(version.selfCheck === null ? {} : { selfCheck: version.selfCheck }),
    ...(version.requiredRuntime === null ? {} : { requires: { runtime: version.requiredRuntime } }),
    createdAt: timestamp(version.createdAt),
  };
  const bytes = encodeUtf8(JSON.stringify(manifest));
  parseModelManifest(bytes); // devices will: what they would refuse must not be signed
  return {
    bytes,
    changes: {
      put: [
        documentTarget(role, path, bytes),
        blobTarget(role, graph, version.graph),
        ...fileTargets(version, role),
        ...(explanation === null ? [] : [explanation]),
        ...(personal === null
          ? []
          : [blobTarget(role, personal.path, model.personalisation!.document), ...personal.graphs]),
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
  const model = asModelName(content.model);
  const role = modelRole(model);
  const paths = planPaths(model, content.task, number);
  const { webgpu, micro, whole } = content.training;
  const partPath = (part: number | "step"): string => microBatchPath(model, content.task, number, part);
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
        documentTarget(role, paths.plan, bytes),
        blobTarget(role, paths.train, graphs.train),
        ...(graphs.trainWebgpu === undefined
          ? []
          : [blobTarget(role, paths.trainWebgpu, graphs.trainWebgpu)]),
        ...parts.map(({ batchSize, blob }) => blobTarget(role, partPath(batchSize), blob)),
        ...(step === undefined ? [] : [blobTarget(role, partPath("step"), step)]),
        blobTarget(role, paths.evaluate, graphs.evaluate),
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
  const role = modelRole(asModelName(content.model));
  const paths = measurementPaths(asModelName(content.model), content.task, number);
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
        documentTarget(role, paths.plan, bytes),
        ...(evaluate === undefined ? [] : [blobTarget(role, paths.evaluate, evaluate)]),
      ],
    },
  };
}

/** The control variate that devices train the next round with: the strategy's state, in place of the one before. */
export function controlTargets(
  model: ModelName,
  { task, version, state }: OptimizerRecord,
  current: Iterable<Pick<TargetRecord, "path">>,
): TargetChanges {
  const path = controlPath(model, task, version);
  const { remove = [] } = noControlTargets(model, task, current);
  return {
    put: [blobTarget(trainingRole(model), path, state)],
    remove: remove.filter((earlier) => earlier !== path),
  };
}

/** Devices begin with a control variate of zeros. */
export function noControlTargets(
  model: ModelName,
  task: TaskName,
  current: Iterable<Pick<TargetRecord, "path">>,
): TargetChanges {
  const folder = controlFolder(model, task);
  const paths = Array.from(current, ({ path }) => path);
  return { put: [], remove: paths.filter((path) => path.startsWith(folder)) };
}

/**
 * What makes a version's file of the same file of version `from`, beside it. Rounds sign for deltas, also of what they do not release:
 * a device believes the file's own digest.
 */
export function deltaTarget(
  model: ModelName,
  path: string,
  from: ModelVersion,
  delta: BlobRef,
): TargetRecord {
  return blobTarget(trainingRole(model), deltaPath(path, from), delta);
}

/** Of a document whose bytes are in the blob store. */
export function documentTarget(role: string, path: string, bytes: Uint8Array): TargetRecord {
  return { role, path, digest: sha256(bytes), sizeBytes: bytes.length, custom: null };
}

function blobTarget(role: string, path: string, { digest, sizeBytes }: BlobRef): TargetRecord {
  return { role, path, digest, sizeBytes, custom: null };
}
