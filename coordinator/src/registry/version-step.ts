import type { MissingSource, VersionStep } from "@tributary/protocol";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { ModelRecord, VersionRecord } from "../ports/model-records.ts";

type Rows = Pick<MetadataStore, "versions" | "versionStates" | "tasks" | "rounds">;

/** How a version of a round came from its parent; or why nobody can say. */
export async function versionStep(
  store: Rows,
  model: ModelRecord,
  version: VersionRecord,
): Promise<VersionStep | MissingSource> {
  const { roundId, parentVersion, strategy } = version;
  if (roundId === null || parentVersion === null || strategy === null)
    return { what: "round", why: "published" };
  const state = await store.versionStates.get(model.name, version.version);
  if (state === undefined) return { what: "round", why: "not-kept" };
  const parent = await store.versions.get(model.name, parentVersion);
  if (parent === undefined) return { what: "parent-weights", why: "gone" };
  const task = await store.tasks.get(state.task);
  const round = await store.rounds.get(roundId);
  if (task === undefined || round === undefined) return { what: "round", why: "gone" };
  return {
    formatVersion: 1,
    model: model.name,
    version: version.version,
    task: { ...task.spec, stepPrecision: state.stepPrecision },
    strategy,
    plan: state.plan,
    trainingRound: state.trainingRound,
    parent: { version: parentVersion, weights: parent.weights, int8: parent.int8 },
    // Adapters are folded into the weights of the graph that they were trained in.
    graph: task.spec.adapters === null ? null : (model.trainingGraph ?? model.graph),
    aggregate: state.aggregate,
    masked: round.secure !== null,
    before: state.before,
    after: state.after,
    weights: version.weights,
    int8: version.int8,
  };
}
