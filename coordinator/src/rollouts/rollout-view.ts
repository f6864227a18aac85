import {
  gateAlpha,
  readGate,
  rolloutEnded,
  rolloutWaitsFor,
  stepShare,
  type RolloutState,
} from "@tributary/federation";
import { evidenceOf, type RolloutView, type WithdrawnVersionView } from "@tributary/protocol";
import type { NewEvent } from "../ports/event-records.ts";
import type { JsonValue } from "../ports/json.ts";
import type { WithdrawalRecord } from "../ports/model-records.ts";
import type { RolloutRecord } from "../ports/rollout-records.ts";
import { optionalTimestamp, timestamp } from "../registry/views.ts";

export function rolloutView(record: RolloutRecord, now: number): RolloutView {
  const { model, channel, rollout, config, state, createdAt, endedAt } = record;
  const { spec, control, floorShare } = config;
  return {
    model,
    channel,
    rollout,
    state: state.phase,
    reason: "reason" in state ? state.reason : null,
    control,
    arms: state.arms.map(({ name, version, ended, devices }) => ({
      name,
      version,
      devices,
      reason: ended,
      state: ended !== null ? "withdrawn" : armState(state, name),
    })),
    steps: spec.steps.map((step, i) => ({
      ...step,
      share: stepShare(step.percent, floorShare),
      state: stepState(state, i),
      startedAt: optionalTimestamp(state.startedAt[i] ?? null),
      passedAt: optionalTimestamp(state.passedAt[i] ?? null),
    })),
    gates: spec.gates.map((gate, i) => ({
      ...gate,
      evidence: evidenceOf(gate),
      alpha: gateAlpha(spec),
      comparisons: state.arms.map(({ name, tests }) => ({
        arm: name,
        ...finite(readGate(spec, gate, tests[i]!)),
      })),
    })),
    waitsFor: rolloutEnded(state)
      ? []
      : rolloutWaitsFor(config, state, "pausedAt" in state ? state.pausedAt : now),
    controlDevices: state.controlDevices,
    createdAt: timestamp(createdAt),
    endedAt: optionalTimestamp(endedAt),
    spec,
  };
}

/** JSON has no infinity. */
function finite(reading: ReturnType<typeof readGate>): ReturnType<typeof readGate> {
  const limit = (value: number): number => Math.min(value, Number.MAX_VALUE);
  return { ...reading, worse: limit(reading.worse), notWorse: limit(reading.notWorse) };
}

function armState(state: RolloutState, name: string): RolloutView["arms"][number]["state"] {
  if (!rolloutEnded(state)) return "tried";
  return state.phase === "completed" && state.arm === name ? "released" : "not-released";
}

function stepState(state: RolloutState, step: number): RolloutView["steps"][number]["state"] {
  if (state.passedAt[step] !== undefined) return "passed";
  if (rolloutEnded(state)) return "not-reached";
  return step === state.step ? "current" : "ahead";
}

export function withdrawalView({ model, version, reason, at }: WithdrawalRecord): WithdrawnVersionView {
  return { model, version, reason, at: timestamp(at) };
}

export function rolloutEvent(record: RolloutRecord, now: number): NewEvent {
  return { type: "rollout", data: rolloutView(record, now) as unknown as JsonValue };
}

export function withdrawalEvent(record: WithdrawalRecord): NewEvent {
  return { type: "withdrawal", data: withdrawalView(record) as unknown as JsonValue };
}
