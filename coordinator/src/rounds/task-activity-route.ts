import { failure, type TaskName } from "@tributary/core";
import { TaskActivityView, TaskNameSchema } from "@tributary/protocol";
import Type from "typebox";
import type { App } from "../http/app.ts";
import { activityView } from "./activity-view.ts";
import type { TaskActivity } from "./driver.ts";

/** What a task waits for: its next round, and how many devices could be in it. */
export function registerTaskActivityRoute(
  app: App,
  activityOf: (task: TaskName) => TaskActivity | undefined,
): void {
  app.get(
    "/v1/tasks/:task/activity",
    {
      schema: {
        summary:
          "When a task's next round may begin, and the devices that are willing, sit out or are not asked",
        tags: ["operator"],
        params: Type.Object({ task: TaskNameSchema }),
        response: { 200: TaskActivityView },
      },
    },
    async ({ params: { task } }, reply) => {
      const activity = activityOf(task);
      if (activity === undefined) {
        throw failure("coordinator/unknown-task", `http: no task "${task}"`, { detail: { task } });
      }
      reply.header("cache-control", "no-store");
      return activityView(activity);
    },
  );
}
