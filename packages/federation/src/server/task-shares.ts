import type { TaskName } from "@tributary/core";

/** How many devices each task had, so that tasks which share a population get equal parts of it. */
export interface TaskShares {
  /** A task begins, or begins again: it has as much as the one that had least, and no claim on what it missed. */
  join(task: TaskName): void;
  leave(task: TaskName): void;
  /** The task asked so many devices. */
  served(task: TaskName, devices: number): void;
  /** The tasks that have had least first. */
  inOrder(): readonly TaskName[];
  /** Whether `task` has had less than `other`; between equals the one that joined first. */
  isBefore(task: TaskName, other: TaskName): boolean;
}

export function createTaskShares(): TaskShares {
  const had = new Map<TaskName, number>();
  const places = new Map<TaskName, number>();
  let joined = 0;
  const compare = (a: TaskName, b: TaskName): number =>
    (had.get(a) ?? 0) - (had.get(b) ?? 0) || (places.get(a) ?? 0) - (places.get(b) ?? 0);
  return {
    join(task) {
      if (had.has(task)) return;
      had.set(task, had.size === 0 ? 0 : Math.min(...had.values()));
      places.set(task, joined++);
    },
    leave(task) {
      had.delete(task);
      places.delete(task);
    },
    served(task, devices) {
      const before = had.get(task);
      if (before !== undefined) had.set(task, before + devices);
    },
    inOrder: () => [...had.keys()].toSorted(compare),
    isBefore: (task, other) => compare(task, other) < 0,
  };
}

/** A task whose round waits for devices to begin. */
export interface WaitingTask {
  readonly task: TaskName;
  /** Fewest devices it begins with. */
  readonly minimum: number;
  /** Devices that are willing and may be asked for it, whether or not another task has them now. */
  readonly could: number;
}

/**
 * Whether a waiting task keeps its devices from tasks that have had more. Rounds of others end by their deadlines, so a
 * task that enough devices are willing for begins in bounded time; one that cannot be filled keeps nobody.
 */
export function keepsDevices(
  shares: Pick<TaskShares, "isBefore">,
  waiting: WaitingTask,
  other: TaskName,
): boolean {
  return waiting.could >= waiting.minimum && shares.isBefore(waiting.task, other);
}
