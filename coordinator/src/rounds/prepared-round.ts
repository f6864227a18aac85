import { failure } from "@tributary/core";
import type { RoundConfig } from "@tributary/federation";
import { strategyOf } from "@tributary/federation/planning";
import { usesControlVariates } from "@tributary/protocol";
import type { ModelRecord, VersionRecord } from "../ports/model-records.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import { isPlanSigned } from "../releases/is-signed.ts";
import { controlPath } from "../releases/target-paths.ts";
import { nextRoundNumber } from "../registry/next-number.ts";
import { measurementConfig, nextMeasurement } from "./measurement/measurement-round.ts";
import { roundConfig } from "./round-config.ts";
import { readRoundPlan } from "./round-plan.ts";
import type { MeasurementWork, TrainingWork } from "./round-run-options.ts";
import type { RoundServices } from "./round-services.ts";
import { trainingRoundOf } from "./training-round.ts";

/** What a task's next round is of. */
export interface PreparedRound {
  readonly work: TrainingWork | MeasurementWork;
  readonly task: TaskRecord;
  readonly model: ModelRecord;
  readonly base: VersionRecord;
  readonly secure: boolean;
  /** Takes the next number. @param population - devices that may come, estimated */
  config(population: number): Promise<RoundConfig>;
}

/**
 * Reads what the next round trains or measures; `idle`: there is nothing to measure at present, or devices would not find the plan.
 *
 * @throws `store/*`, `protocol/invalid-document`
 */
export async function prepareRound(
  services: RoundServices,
  task: TaskRecord,
): Promise<PreparedRound | "idle"> {
  const { store } = services;
  if (!(await isPlanSigned(store, task.model, task.plan))) {
    services.env.log.info("rounds: the plan waits for signatures", { task: task.name });
    return "idle";
  }
  const measurement = await nextMeasurement(services, task);
  if (measurement === "idle") return "idle";
  const work: TrainingWork | MeasurementWork =
    measurement === undefined
      ? { plan: await readRoundPlan(services, task), strategy: strategyOf(services.strategies, task.spec) }
      : { measurement };
  const { secure } = work.measurement ?? work.plan;
  const model = await store.models.get(task.model);
  const base =
    measurement?.current ?? (model && (await store.versions.get(model.name, model.currentVersion)));
  const timestamp = await store.releases.latest("timestamp");
  if (model === undefined || base === undefined || timestamp === undefined) {
    throw failure(
      "store/corrupt",
      `rounds: task "${task.name}" has no model, version or release to start from`,
    );
  }
  const timestampVersion = timestamp.version;
  return {
    work,
    task,
    model,
    base,
    secure: secure !== null,
    async config(population) {
      const round = await nextRoundNumber(store, task.name);
      const trainingRound = await trainingRoundOf(services, task, base);
      return {
        ...(measurement === undefined ? await controlOf(store, task, base) : {}),
        ...roundConfig({ task, secure, base, round, trainingRound, timestampVersion, population }),
        ...(measurement === undefined ? {} : measurementConfig(task, measurement)),
      };
    },
  };
}

/** The coordinator's control variate after the base; none where the strategy begins with it. */
async function controlOf(
  { optimizers }: Pick<RoundServices["store"], "optimizers">,
  { name, spec }: TaskRecord,
  { version }: VersionRecord,
): Promise<Pick<RoundConfig, "control">> {
  const record = usesControlVariates(spec) ? await optimizers.get(name) : undefined;
  if (record?.version !== version) return {};
  return { control: { target: controlPath(spec.model, name, version), digest: record.state.digest } };
}
