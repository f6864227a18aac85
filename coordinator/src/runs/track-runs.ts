import type { Env } from "@tributary/core";
import type { ResolvedConfig } from "../config.ts";
import type { Bus } from "../ports/bus.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import type { TaskProgress } from "../registry/views.ts";
import { followTasks, type Follower } from "./follow-tasks.ts";
import { createMlflowClient } from "./mlflow-client.ts";
import { mlflowRuns } from "./mlflow-runs.ts";
import { storedRuns } from "./stored-runs.ts";
import { tensorboardRuns } from "./tensorboard-runs.ts";

export interface TrackRunsOptions {
  readonly config: Pick<ResolvedConfig, "tensorboardDir" | "mlflow">;
  readonly env: Env;
  readonly store: Pick<MetadataStore, "tasks" | "rounds" | "measurements" | "versions">;
  readonly bus: Pick<Bus, "subscribe">;
  readonly progressOf: (task: TaskRecord) => Promise<TaskProgress>;
  /** The coordinator's own address. */
  readonly url: string;
}

/** Tells the trackers that are configured of every task, as its rounds end. */
export function trackRuns({ config, env, store, bus, progressOf, url }: TrackRunsOptions): Follower {
  const { tensorboardDir, mlflow } = config;
  const source = storedRuns(store, progressOf);
  const followers: Follower[] = [];
  const follow = (tracker: string, sync: (task: string) => Promise<unknown>): void => {
    followers.push(
      followTasks({
        env,
        bus,
        tracker,
        tasks: () => source.tasks(),
        sync: async (task) => void (await sync(task)),
      }),
    );
  };
  if (tensorboardDir !== undefined) {
    const runs = tensorboardRuns(tensorboardDir, source);
    follow("tensorboard", (task) => runs.write(task));
  }
  if (mlflow !== undefined) {
    const runs = mlflowRuns({ client: createMlflowClient(mlflow), source, url: () => url });
    follow("mlflow", (task) => runs.push(task));
  }
  return { close: async () => void (await Promise.all(followers.map((each) => each.close()))) };
}
