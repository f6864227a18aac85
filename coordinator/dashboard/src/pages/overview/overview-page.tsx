import type { TaskActivityView, TaskView } from "@tributary/api-client";
import { useInfiniteQuery, useQueries, useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../../data/dashboard-context.ts";
import { useServerNow } from "../../data/use-server-now.ts";
import { formatCount } from "../../format/numbers.ts";
import { formatSeconds } from "../../format/time.ts";
import { attention } from "../../model/attention.ts";
import { isRunning } from "../../model/round-progress.ts";
import { Loaded } from "../../ui/loaded.tsx";
import { PageSkeleton } from "../../ui/skeleton.tsx";
import { NoTask } from "../tasks/no-task.tsx";
import { AttentionCard } from "./attention-card.tsx";
import { KeysCard } from "./keys-card.tsx";
import { ModelsCard } from "./models-card.tsx";
import { RolloutsCard } from "./rollouts-card.tsx";
import { TasksCard } from "./tasks-card.tsx";
import "./overview.css";

/** No event tells of them. */
const KEYS_EVERY_MS = 60_000;

/** Whether anything is wrong, and what is under way; each line leads to its page. */
export function OverviewPage(): ReactNode {
  const tasks = useQuery(useDashboard().queries.tasks());
  return (
    <Loaded query={tasks} loading={<PageSkeleton />}>
      {(list) => (list.length === 0 ? <div className="page">{<NoTask />}</div> : <Overview tasks={list} />)}
    </Loaded>
  );
}

function Overview({ tasks }: { readonly tasks: readonly TaskView[] }): ReactNode {
  const { queries } = useDashboard();
  const nowMs = useServerNow(30_000);
  const { data: status } = useQuery(queries.status());
  const { data: models = [] } = useQuery(queries.models());
  const { data: found } = useInfiniteQuery(queries.alerts());
  const { data: keys = [] } = useQuery({ ...queries.keys(), refetchInterval: KEYS_EVERY_MS });
  const rollouts = useQueries({ queries: models.map(({ name }) => queries.rollouts(name)) }).flatMap(
    ({ data = [] }) => data,
  );
  const running = tasks.filter(({ state }) => state === "running");
  const answers = useQueries({
    queries: running.map(({ name }) => queries.activity(name)),
  });
  const activities = new Map<string, TaskActivityView>(
    answers.flatMap(({ data }, i) => (data === undefined ? [] : [[running[i]!.name, data]])),
  );
  const rounds = tasks.filter(({ round }) => round !== null && isRunning(round)).length;
  return (
    <div className="page" data-testid="overview">
      <div className="page-head">
        <h1>Overview</h1>
      </div>
      <AttentionCard
        found={attention({ status, tasks, activities, rollouts, keys, alerts: found?.alerts ?? [], nowMs })}
      />
      <dl className="figures">
        <Figure
          name="Devices"
          value={status?.devices.connected}
          note={status === undefined ? "" : `${formatCount(status.devices.training)} training`}
        />
        <Figure
          name="Tasks running"
          value={running.length}
          note={running.length === tasks.length ? "all of them" : `of ${formatCount(tasks.length)}`}
        />
        <Figure name="Rounds under way" value={rounds} note="" />
        <Figure
          name="Rollouts under way"
          value={rollouts.filter(({ state }) => state === "running" || state === "paused").length}
          note=""
        />
        <Figure
          name="Models"
          value={models.length}
          note={status === undefined ? "" : `up for ${formatSeconds(status.uptimeSeconds)}`}
        />
      </dl>
      <TasksCard tasks={tasks} activities={activities} />
      <RolloutsCard rollouts={rollouts} />
      <div className="columns">
        <ModelsCard models={models} />
        <KeysCard keys={keys} />
      </div>
    </div>
  );
}

interface FigureProps {
  readonly name: string;
  readonly value: number | undefined;
  readonly note: string;
}

function Figure({ name, value, note }: FigureProps): ReactNode {
  return (
    <div className="figure">
      <dt>{name}</dt>
      <dd>{value === undefined ? "–" : formatCount(value)}</dd>
      <dd className="figure-note">{note}</dd>
    </div>
  );
}
