import type {
  ModelView,
  RolloutView,
  RoundView,
  ServerEvent,
  SuspicionView,
  TaskActivityView,
  TaskView,
  VersionView,
} from "@tributary/api-client";
import type { InfiniteData, QueryClient, QueryKey } from "@tanstack/react-query";
import type { Status } from "../data/queries.ts";
import {
  applyToActivity,
  applyToModels,
  applyToRollouts,
  applyToRound,
  applyToRounds,
  applyToStatus,
  applyToTasks,
  applyToVersion,
} from "./apply-event.ts";
import { byNumber, byVersion, inPages, type RowsPage } from "./pages.ts";
import { readAgainAfter } from "./read-again.ts";

/** A round in which all was well neither makes anyone suspected nor, where nobody is, clears anyone. */
function saysOfMembers(
  { secure, refused }: RoundView,
  suspected: readonly SuspicionView[] | undefined,
): boolean {
  return secure !== null || refused > 0 || (suspected?.length ?? 0) > 0;
}

/** Brings everything that was read up to date with one event. */
export function applyToCache(client: QueryClient, event: ServerEvent): void {
  update<Status>(client, ["status"], (status) => applyToStatus(status, event));
  update<readonly TaskView[]>(client, ["tasks"], (tasks) => applyToTasks(tasks, event));
  update<readonly ModelView[]>(client, ["models"], (models) => applyToModels(models, event));
  if (event.type === "round") {
    const { task, number } = event.data;
    update<RoundView | null>(client, ["round", task, number], (round) =>
      applyToRound(task, number, round, event),
    );
    update<InfiniteData<RowsPage<RoundView>>>(client, ["round-pages", task], (data) => ({
      ...data,
      pages: inPages(data.pages, event.data, byNumber),
    }));
    update<readonly RoundView[]>(client, ["rounds", task], (rounds) => applyToRounds(task, rounds, event));
    if (event.data.endedAt !== null && saysOfMembers(event.data, client.getQueryData(["suspicions", task])))
      void client.invalidateQueries({ queryKey: ["suspicions", task] });
    // Nothing where nobody looks at one.
    void client.invalidateQueries({ queryKey: ["buffer", task] });
    if (event.data.endedAt !== null && event.data.purpose !== "train") {
      void client.invalidateQueries({ queryKey: ["measurements", task] });
    }
  }
  if (event.type === "alert") {
    // Nothing where nobody looks at one; the bell looks on every page.
    for (const queryKey of [["alerts"], ["alert-rules"], ["silences"]])
      void client.invalidateQueries({ queryKey });
  }
  if (event.type === "activity") {
    const { task } = event.data;
    update<TaskActivityView>(client, ["activity", task], (activity) =>
      applyToActivity(task, activity, event),
    );
  }
  if (event.type === "record") {
    for (const queryKey of readAgainAfter(event.data)) void client.invalidateQueries({ queryKey });
  }
  if (event.type === "suspicion") {
    void client.invalidateQueries({ queryKey: ["suspicions", event.data.task] });
  }
  if (event.type === "version" || event.type === "channel" || event.type === "alias") {
    for (const list of ["card", "channels"])
      void client.invalidateQueries({ queryKey: [list, event.data.model] });
  }
  if (event.type === "withdrawal") {
    void client.invalidateQueries({ queryKey: ["withdrawals", event.data.model] });
  }
  if (event.type === "rollout") {
    const { model } = event.data;
    update<readonly RolloutView[]>(client, ["rollouts", model], (rollouts) =>
      applyToRollouts(model, rollouts, event),
    );
  }
  if (event.type === "version") {
    const { model } = event.data;
    // It tells how long the versions before took to reach the devices.
    void client.invalidateQueries({ queryKey: ["push"] });
    void client.invalidateQueries({ queryKey: ["retention", model] });
    update<InfiniteData<RowsPage<VersionView>>>(client, ["version-pages", model], (data) => ({
      ...data,
      pages: inPages(data.pages, event.data, byVersion),
    }));
    update<VersionView>(client, ["version", model, event.data.version], (view) =>
      applyToVersion(view, event),
    );
    // A model this page has not heard of.
    const models = client.getQueryData<readonly ModelView[]>(["models"]);
    if (models?.every(({ name }) => name !== model) === true) {
      void client.invalidateQueries({ queryKey: ["models"] });
    }
  }
}

function update<Data>(client: QueryClient, queryKey: QueryKey, change: (data: Data) => Data): void {
  client.setQueryData<Data>(queryKey, (data) => (data === undefined ? undefined : change(data)));
}
