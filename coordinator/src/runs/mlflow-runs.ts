import type { RoundView, TaskView } from "@tributary/api-client";
import type { KeyValue, MetricPoint, MlflowClient, MlflowRun, RunStatus } from "./mlflow-client.ts";
import { roundCurves, roundTime, runParameters } from "./round-curves.ts";
import { settledRounds, type RunSource } from "./run-source.ts";

/** Limits of one `log-batch`, and of what stands in it: those of the oldest servers in use. */
const LIMITS = { metrics: 1_000, params: 100, valueLength: 500 } as const;
/** A point that every round has: its step says how far a run came. */
const LAST_STEP = "round/committed";
/** The tag that a task's run is found by, after a restart and from another machine. */
const RUN_TAG = "tributary.run";

export interface MlflowRuns {
  /** Tells the server what its run of the task does not have yet. @returns how many rounds that was */
  push(task: string): Promise<number>;
}

export interface MlflowRunsOptions {
  readonly client: MlflowClient;
  readonly source: RunSource;
  /** Where people see a version: the coordinator's own address. */
  readonly url: () => string | undefined;
}

/**
 * A run for each task, in an experiment for each model. How far a run came is asked of the server and kept nowhere else: a restart, a server that was
 * away, and a push from elsewhere double no point.
 */
export function mlflowRuns({ client, source, url }: MlflowRunsOptions): MlflowRuns {
  const experiments = new Map<string, string>();

  const experimentOf = async (model: string): Promise<string> => {
    const known = experiments.get(model) ?? (await client.experiment(`tributary/${model}`));
    experiments.set(model, known);
    return known;
  };

  const runOf = async (task: TaskView): Promise<MlflowRun> => {
    const experimentId = await experimentOf(task.model);
    const tag = { key: RUN_TAG, value: `${task.name}@${task.createdAt}` };
    const found = await client.runWithTag(experimentId, tag);
    if (found !== undefined) return found;
    const run = await client.createRun({
      experimentId,
      name: task.name,
      startTime: Date.parse(task.createdAt),
      tags: [
        tag,
        { key: "tributary.task", value: task.name },
        { key: "tributary.model", value: task.model },
        { key: "tributary.population", value: task.population },
        { key: "tributary.kind", value: task.spec.kind },
      ],
    });
    return run;
  };

  return {
    async push(name) {
      const task = await source.task(name);
      if (task === undefined) return 0;
      const run = await runOf(task);
      const runId = run.info.run_id;
      const metrics = run.data.metrics ?? [];
      // Parameters are the same each time, and are taken again: a run that was made just before a crash has none.
      if (metrics.length === 0) await logParameters(client, runId, task);
      const last = metrics.find(({ key }) => key === LAST_STEP)?.step ?? 0;
      let rounds = 0;
      let batch: MetricPoint[] = [];
      let newest: RoundView | undefined;
      for await (const round of settledRounds(source, name, last)) {
        const points = pointsOf(round);
        // A round is told whole or not at all.
        if (batch.length + points.length > LIMITS.metrics) {
          await client.logBatch(runId, { metrics: batch });
          batch = [];
        }
        batch.push(...points);
        if (round.version !== null) newest = round;
        rounds += 1;
      }
      if (batch.length > 0) await client.logBatch(runId, { metrics: batch });
      if (newest !== undefined) await client.logBatch(runId, { tags: await versionTags(newest) });
      const status = statusOf(task);
      if (status !== run.info.status) {
        const ended = status === "FINISHED" || status === "FAILED";
        const [round] = ended ? await source.rounds(name, { limit: 1 }) : [];
        await client.setStatus(runId, status, ended ? roundEnd(round, task) : null);
      }
      return rounds;
    },
  };

  /** Which version the run came to: its number, the digest of its weights, and where it is seen. */
  async function versionTags({ model, version }: RoundView): Promise<KeyValue[]> {
    const found = await source.version(model, version!);
    const address = url();
    const tags = [{ key: "tributary.version", value: String(version) }];
    if (found !== undefined)
      tags.push({ key: "tributary.version.weights", value: `sha256:${found.weightsDigest}` });
    if (address !== undefined)
      tags.push({
        key: "tributary.version.url",
        value: `${address}/v1/models/${encodeURIComponent(model)}/versions/${version}`,
      });
    return tags;
  }
}

async function logParameters(client: MlflowClient, runId: string, { spec }: TaskView): Promise<void> {
  const params = Object.entries(runParameters(spec)).map(([key, value]) => ({
    key,
    value: String(value).slice(0, LIMITS.valueLength),
  }));
  for (let at = 0; at < params.length; at += LIMITS.params)
    await client.logBatch(runId, { params: params.slice(at, at + LIMITS.params) });
}

function pointsOf(round: RoundView): MetricPoint[] {
  const timestamp = roundTime(round);
  return Object.entries(roundCurves(round)).map(([key, value]) => ({
    key,
    value,
    timestamp,
    step: round.number,
  }));
}

/** A task that gave up has failed; one that was paused may go on. */
function statusOf({ state, reason }: TaskView): RunStatus {
  if (state === "running") return "RUNNING";
  if (state === "finished") return "FINISHED";
  return reason?.code === "consecutive-failures" || reason?.code === "gate" ? "FAILED" : "SCHEDULED";
}

function roundEnd(round: RoundView | undefined, { createdAt }: TaskView): number {
  return round === undefined ? Date.parse(createdAt) : roundTime(round);
}
