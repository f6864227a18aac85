import { failure, type Clock, type TaskName } from "@tributary/core";
import { separationLeft, type Participation } from "@tributary/federation";
import type { RoundOffer, SeparationRules } from "@tributary/protocol";
import type { SettingStore } from "../store/device-store.ts";

/**
 * When this device last took part in each task, counted here and on its own clock, so that no coordinator can ask more
 * often than the signed plan says, or the app allows.
 */
export interface Separations {
  /**
   * Begins a participation, unless it comes too soon after the last one. The same round may be begun again.
   *
   * @throws `federation/too-soon`
   */
  begin(
    offer: Pick<RoundOffer, "task" | "roundId" | "round">,
    rules: SeparationRules | undefined,
  ): Promise<void>;
}

interface Stored extends Participation {
  readonly roundId: string;
}

const NONE: SeparationRules = Object.freeze({ minimumSeparationMs: 0, minimumSeparationRounds: 0 });

/** @param minimumSeparationMs of the app, whatever a plan says */
export function createSeparations(
  settings: Pick<SettingStore, "read" | "write">,
  clock: Pick<Clock, "now">,
  minimumSeparationMs: number,
): Separations {
  const keyOf = (task: TaskName): string => `participated ${task}`;
  return {
    async begin({ task, roundId, round }, rules = NONE) {
      const next = { round, at: clock.now() };
      const last = storedOf(await settings.read(keyOf(task)));
      if (last?.roundId === roundId) return;
      const limits = {
        ...rules,
        minimumSeparationMs: Math.max(minimumSeparationMs, rules.minimumSeparationMs),
      };
      const left = separationLeft(limits, last, next);
      if (left !== null) {
        throw failure(
          "federation/too-soon",
          `participate: task ${task} asks ${left.waitMs} ms and ${left.rounds} rounds too soon`,
          { detail: { task, waitMs: left.waitMs, rounds: left.rounds } },
        );
      }
      await settings.write(keyOf(task), { roundId, ...next });
    },
  };
}

function storedOf(value: unknown): Stored | undefined {
  const { roundId, round, at } = (value ?? {}) as Partial<Record<keyof Stored, unknown>>;
  if (typeof roundId !== "string" || typeof round !== "number" || typeof at !== "number") return undefined;
  return { roundId, round, at };
}
