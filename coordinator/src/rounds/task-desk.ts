import type { Clock, DeviceId, TaskName } from "@tributary/core";
import { createTaskShares, keepsDevices, type WaitingTask } from "@tributary/federation";

/** Thousands of devices may check in or be freed within a second. */
const LOOK_EVERY_MS = 50;

/** A task at the desk: it has rounds, and wants devices for them. */
export interface DeskTask {
  readonly name: TaskName;
  /** Whether the device is in its round under way. */
  has(device: DeviceId): boolean;
  /** Its round that waits for devices to begin, if it has one. */
  waiting(): WaitingTask | undefined;
  /** Whether the device is willing, and may be asked for it. */
  wants(device: DeviceId): boolean;
  /** Another task asked the device: it is no candidate here. */
  yield(device: DeviceId): void;
  /** Devices may be free that were not: asks again for those it had to do without. */
  again(): void;
}

/**
 * Where tasks meet that share devices: a device does one thing at a time, and those that are free go to the task that
 * has had least. A task that waits to begin keeps the devices it needs from those that have had more.
 */
export class TaskDesk {
  readonly #clock: Pick<Clock, "schedule">;
  readonly #tasks = new Map<TaskName, DeskTask>();
  readonly #shares = createTaskShares();
  /** Tasks were asked to look again a moment ago; whether something changed since. */
  #rested = true;
  #stale = false;

  constructor(clock: Pick<Clock, "schedule">) {
    this.#clock = clock;
  }

  /** The task's rounds begin, or begin again. */
  join(task: DeskTask): void {
    this.#tasks.set(task.name, task);
    this.#shares.join(task.name);
  }

  leave({ name }: DeskTask): void {
    this.#tasks.delete(name);
    this.#shares.leave(name);
    this.changed();
  }

  /** Whether the task may ask the device now. */
  mayAsk({ name }: DeskTask, device: DeviceId): boolean {
    for (const other of this.#tasks.values()) {
      if (other.name === name) continue;
      if (other.has(device)) return false;
      const waiting = other.waiting();
      if (waiting !== undefined && other.wants(device) && keepsDevices(this.#shares, waiting, name))
        return false;
    }
    return true;
  }

  /** The task asked the device. */
  asked({ name }: DeskTask, device: DeviceId): void {
    this.#shares.served(name, 1);
    for (const other of this.#tasks.values()) if (other.name !== name) other.yield(device);
  }

  /** Devices were freed, or a task's need changed. Tasks look again soon: each look is over all the devices they miss. */
  changed(): void {
    if (this.#tasks.size < 2) return;
    this.#stale = true;
    if (!this.#rested) return;
    this.#rested = false;
    // After the step under way, whose effects are still being carried out.
    queueMicrotask(() => this.#look());
  }

  #look(): void {
    this.#stale = false;
    for (const name of this.#shares.inOrder()) this.#tasks.get(name)?.again();
    this.#clock.schedule(LOOK_EVERY_MS, () => {
      if (this.#stale) this.#look();
      else this.#rested = true;
    });
  }
}
