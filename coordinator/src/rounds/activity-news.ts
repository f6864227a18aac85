import type { Clock, TaskName, Timer } from "@tributary/core";
import type { TaskActivityChange } from "@tributary/protocol";
import type { Bus } from "../ports/bus.ts";
import type { JsonValue } from "../ports/json.ts";
import { activityView } from "./activity-view.ts";
import type { TaskActivity } from "./driver.ts";

/** A task tells what it waits for at most so often. */
const NEWS_MS = 1_000;

export interface ActivityNewsOptions {
  readonly clock: Pick<Clock, "now" | "schedule">;
  readonly bus: Pick<Bus, "publish">;
  /** Of every task that has rounds here, as they are now. */
  readonly activities: () => Iterable<readonly [TaskName, TaskActivity]>;
}

/** Tells whoever watches what tasks wait for, when it changed. */
export class ActivityNews {
  readonly #options: ActivityNewsOptions;
  /** What was told last, as text. */
  readonly #told = new Map<TaskName, string>();
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: ActivityNewsOptions) {
    this.#options = options;
  }

  /** Something happened that may have changed one. */
  readonly touched = (): void => {
    if (this.#closed) return;
    this.#timer ??= this.#options.clock.schedule(NEWS_MS, () => {
      this.#timer = undefined;
      this.#tell();
    });
  };

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #tell(): void {
    const { activities, bus, clock } = this.#options;
    for (const [task, activity] of activities()) {
      const change: TaskActivityChange = { task, ...activityView(activity) };
      const text = JSON.stringify(change);
      if (this.#told.get(task) === text) continue;
      this.#told.set(task, text);
      void bus.publish("event", {
        id: null,
        type: "activity",
        data: change as unknown as JsonValue,
        at: clock.now(),
      });
    }
  }
}
