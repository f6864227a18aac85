import { encodeState, decodeState, isEmptyState, type StrategyRegistry } from "@tributary/aggregation";
import { sha256, type Digest } from "@tributary/core";
import { bindWeights, quantizeWeightsFile } from "@tributary/onnx";
import { parsePlan, type MissingSource, type ReproductionView, type VersionStep } from "@tributary/protocol";
import { parametersFromSafetensors, parametersToSafetensors } from "@tributary/tensor";
import { strategyOf } from "../planning/task-strategy.ts";
import { decodeAggregate } from "./aggregate-file.ts";
import { steppedWeights, type SteppedWeights } from "./next-weights.ts";
import { planRules } from "./plan-rules.ts";

/** The bytes of a digest, verified; or why there are none. */
export type ReadStepFile = (digest: Digest) => Promise<Uint8Array | "gone" | "damaged">;

/** Everything that a step is taken with. */
export interface GatheredStep {
  readonly step: VersionStep;
  readonly files: ReadonlyMap<Digest, Uint8Array>;
}

/** What the server optimizer remembers of a version, as files. */
export interface OptimizerFiles {
  readonly state: Uint8Array<ArrayBuffer>;
  readonly residual: Uint8Array<ArrayBuffer> | null;
}

/** What the server optimizer remembers, as it is kept; null: nothing. */
export function optimizerFiles(
  strategy: string,
  { state, rounded }: Pick<SteppedWeights, "state" | "rounded">,
): OptimizerFiles | null {
  if (rounded === undefined && isEmptyState(state)) return null;
  return {
    state: encodeState(strategy, state),
    residual: rounded === undefined ? null : parametersToSafetensors(rounded.residual),
  };
}

/** Reads what a step was taken with. @returns what is missing of it, all of it at once */
export async function gatherStep(
  step: VersionStep,
  read: ReadStepFile,
): Promise<GatheredStep | readonly MissingSource[]> {
  const { plan, graph, parent, aggregate, before } = step;
  const missing: MissingSource[] = aggregate === null ? [{ what: "aggregate", why: "not-kept" }] : [];
  const files = new Map<Digest, Uint8Array>();
  const sources = [
    ["plan", plan],
    ["graph", graph],
    ["parent-weights", parent.weights],
    ["parent-int8", parent.int8],
    ["aggregate", aggregate],
    ["optimizer", before && before.state],
    ["residual", before && before.residual],
  ] as const;
  for (const [what, file] of sources) {
    if (file === null) continue;
    const bytes = await read(file.digest);
    if (typeof bytes === "string") missing.push({ what, why: bytes });
    else files.set(file.digest, bytes);
  }
  return missing.length > 0 ? missing : { step, files };
}

/**
 * Takes a version's step again, with what its round took it with, and compares what comes out: weights, their int8 form, and what the
 * server optimizer remembers.
 *
 * @throws what the step throws: `aggregation/*`, `store/corrupt`, `safetensors/*`, `protocol/invalid-document`, `round/aggregation-failed`
 */
export async function reproduceStep(
  strategies: StrategyRegistry,
  { step, files }: GatheredStep,
): Promise<Pick<ReproductionView, "result" | "files">> {
  const made = await takeStep(strategies, step, (digest) => files.get(digest)!);
  const { after } = step;
  const compared = (
    [
      ["weights", step.weights.digest, made.weights],
      ["int8", step.int8.digest, made.int8],
      ["optimizer", after?.state.digest ?? null, made.optimizer?.state ?? null],
      ["residual", after?.residual?.digest ?? null, made.optimizer?.residual ?? null],
    ] as const
  ).map(([name, expected, bytes]) => ({ name, expected, got: bytes && sha256(bytes) }));
  return {
    result: compared.every(({ expected, got }) => expected === got) ? "same" : "different",
    files: compared,
  };
}

async function takeStep(
  strategies: StrategyRegistry,
  step: VersionStep,
  bytesOf: (digest: Digest) => Uint8Array,
) {
  const { task, parent, graph, before, aggregate } = step;
  const { plan, ...counts } = planRules(parsePlan(bytesOf(step.plan.digest)));
  const strategy = strategyOf(strategies, { ...task, strategy: { ...task.strategy, ...step.strategy } });
  const base = parametersFromSafetensors(plan.parameters, bytesOf(parent.weights.digest));
  const { residual = null } = before ?? {};
  const stepped = await steppedWeights({
    plan,
    strategy,
    base,
    mean: decodeAggregate(bytesOf(aggregate!.digest), counts),
    baseVersion: parent.version,
    trainingRound: step.trainingRound,
    before: async (schema) =>
      before === null ? undefined : decodeState(strategy.choice.name, schema, bytesOf(before.state.digest)),
    model: async () => bindWeights(bytesOf(graph!.digest), base),
    ...(task.stepPrecision === "float32"
      ? {}
      : {
          rounding: {
            precision: task.stepPrecision,
            residual: async (schema) =>
              residual === null ? undefined : parametersFromSafetensors(schema, bytesOf(residual.digest)),
          },
        }),
  });
  return {
    weights: parametersToSafetensors(stepped.weights),
    int8: quantizeWeightsFile(stepped.weights, bytesOf(parent.int8.digest)).bytes,
    optimizer: optimizerFiles(strategy.choice.name, stepped),
  };
}
