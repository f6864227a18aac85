import { failure, type TaskName } from "@tributary/core";
import type { SettingStore } from "../store/device-store.ts";

/**
 * How often this device has given to sums on one base version, counted here: a coordinator that makes cohort after
 * cohort from one version, with a member more or less, would learn what that member gave.
 */
export interface Contributions {
  /** @throws `secagg/contributed-enough` */
  requireRoom(task: TaskName, baseVersion: number): Promise<void>;
  /** @throws `secagg/contributed-enough` */
  add(task: TaskName, baseVersion: number): Promise<void>;
}

const NONE = Object.freeze({ version: 0, count: 0 });

export function createContributions(
  settings: Pick<SettingStore, "read" | "write">,
  maxContributionsPerVersion: number,
): Contributions {
  const keyOf = (task: TaskName): string => `contributions ${task}`;

  /** The newest version that the device gave to, and how often. */
  const storedOf = async (task: TaskName): Promise<{ version: number; count: number }> => {
    const stored = ((await settings.read(keyOf(task))) ?? {}) as { version?: unknown; count?: unknown };
    const { version, count } = stored;
    return typeof version === "number" && typeof count === "number" ? { version, count } : NONE;
  };

  const requireRoom = async (task: TaskName, baseVersion: number) => {
    const stored = await storedOf(task);
    // Going back to an earlier version gives no second set of tries, on that one or on the newest.
    const version = Math.max(stored.version, baseVersion);
    const count = version === stored.version ? stored.count : 0;
    if (count < maxContributionsPerVersion) return { version, count };
    throw failure(
      "secagg/contributed-enough",
      `participate: ${count} contributions on version ${version} of task ${task}`,
      { detail: { task, baseVersion, count } },
    );
  };

  return {
    requireRoom: async (task, baseVersion) => void (await requireRoom(task, baseVersion)),
    async add(task, baseVersion) {
      const { version, count } = await requireRoom(task, baseVersion);
      await settings.write(keyOf(task), { version, count: count + 1 });
    },
  };
}
