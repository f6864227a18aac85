import { decodeState, type ChosenStrategy, type StrategyState } from "@tributary/aggregation";
import { parametersFromSafetensors, type ParameterSchema, type ParameterSet } from "@tributary/tensor";
import type { OptimizerBlobs, VersionRecord } from "../ports/model-records.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import type { RoundServices } from "./round-services.ts";

/** What a task's server optimizer remembers of the rounds before. */
export interface OptimizerMemory {
  /** Where it stands; null: it begins. */
  readonly blobs: OptimizerBlobs | null;
  readonly state: (schema: ParameterSchema) => Promise<StrategyState | undefined>;
  /** What rounding left out of its steps. */
  readonly residual: (schema: ParameterSchema) => Promise<ParameterSet | undefined>;
}

/** Nothing, where it is not of the base version: momentum towards other weights would be none. */
export async function optimizerMemory(
  { store, blobs, env }: Pick<RoundServices, "store" | "blobs" | "env">,
  {
    task,
    base,
    strategy,
  }: {
    readonly task: Pick<TaskRecord, "name">;
    readonly base: Pick<VersionRecord, "version">;
    readonly strategy: ChosenStrategy;
  },
): Promise<OptimizerMemory> {
  const record = await store.optimizers.get(task.name);
  if (record === undefined) return NOTHING;
  if (record.version !== base.version) {
    env.log.warn("the optimizer begins anew: its version was replaced", {
      task: task.name,
      version: record.version,
      baseVersion: base.version,
    });
    return NOTHING;
  }
  return {
    blobs: { state: record.state, residual: record.residual },
    state: async (schema) =>
      decodeState(strategy.choice.name, schema, await blobs.bytes(record.state.digest)),
    async residual(schema) {
      if (record.residual === null) return undefined;
      return parametersFromSafetensors(schema, await blobs.bytes(record.residual.digest));
    },
  };
}

const NOTHING: OptimizerMemory = {
  blobs: null,
  state: () => Promise.resolve(undefined),
  residual: () => Promise.resolve(undefined),
};
