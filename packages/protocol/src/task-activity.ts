import type { TaskName } from "@tributary/core";
import Type, { type Static } from "typebox";
import { nullable, TimestampSchema } from "./schema.ts";
import { INELIGIBLE_REASONS, type IneligibleReason } from "./task-eligibility.ts";

const Count = Type.Integer({ minimum: 0 });

/** `GET /v1/tasks/:task/activity`: what a task is doing beside its rounds; counts only, of devices connected now. */
export const TaskActivityView = Type.Object({
  nextRoundAt: nullable(TimestampSchema, {
    description: "When the next round may begin; null: one is under way, or the task does not run",
  }),
  failures: Type.Integer({ minimum: 0, description: "Rounds in a row that failed" }),
  checkedIn: Type.Integer({ minimum: 0, description: "Devices that are willing" }),
  sittingOut: Type.Integer({
    minimum: 0,
    description: "Of these, those that took part too recently or are suspected",
  }),
  ineligible: Type.Unsafe<{ readonly [Reason in IneligibleReason]?: number }>(
    Type.Object(Object.fromEntries(INELIGIBLE_REASONS.map((reason) => [reason, Type.Optional(Count)])), {
      description: "Devices that are none of those the task asks, by the first rule they do not meet",
    }),
  ),
});
export type TaskActivityView = Static<typeof TaskActivityView>;

/** What an event tells of a task's activity: how it is now, not what became of it. */
export interface TaskActivityChange extends TaskActivityView {
  readonly task: TaskName;
}
