import type { RoundView } from "@tributary/api-client";

export type StepStatus = "done" | "current" | "upcoming" | "failed";

export interface PhaseStep {
  readonly phase: RoundView["phase"];
  readonly label: string;
  readonly status: StepStatus;
}

const STEPS = [
  ["selecting", "Selecting"],
  ["training", "Training"],
  ["reporting", "Reporting"],
  ["aggregating", "Aggregating"],
  ["committed", "Committed"],
] as const;

/** The phases of a round in their order, and how far it is. */
export function phaseSteps(round: RoundView): readonly PhaseStep[] {
  const steps = STEPS.map(([phase, label]) => {
    const measures = phase === "training" && round.purpose !== "train";
    return [phase, measures ? "Measuring" : label] as const;
  });
  if (round.phase === "abandoned") {
    const reached = round.cohort > 0 ? 2 : 1;
    return steps.map(([phase, label], i) => {
      if (i < reached) return { phase, label, status: "done" };
      if (i === steps.length - 1) return { phase: "abandoned", label: "Abandoned", status: "failed" };
      return { phase, label, status: i === reached ? "failed" : "upcoming" };
    });
  }
  if (round.phase === "buffered") {
    return steps.map(([phase, label], i) =>
      i < steps.length - 1
        ? { phase, label, status: "done" }
        : { phase: "buffered", label: "Buffered", status: "current" },
    );
  }
  const at = steps.findIndex(([phase]) => phase === round.phase);
  return steps.map(([phase, label], i) => ({
    phase,
    label,
    status: i < at || round.phase === "committed" ? "done" : i === at ? "current" : "upcoming",
  }));
}

/** Whether devices still have a part in it. */
export function isRunning(round: RoundView): boolean {
  return !["committed", "buffered", "abandoned"].includes(round.phase);
}

/** In a table: `7, training`. */
export function roundWords({ number, phase }: Pick<RoundView, "number" | "phase">): string {
  return `${number}, ${phase}`;
}

export type ParticipantState = "reported" | "ready" | "waiting" | "training" | "dropout" | "refused";

export interface ParticipantGroup {
  readonly state: ParticipantState;
  readonly count: number;
}

/** Devices of a round by what they are at; the counts of sums, never of one device. Empty groups are left out. */
export function participantGroups(round: RoundView): readonly ParticipantGroup[] {
  const { offered, ready, cohort, reported, dropouts, refused } = round;
  const groups: ParticipantGroup[] =
    cohort > 0 || round.phase === "committed"
      ? [
          { state: "reported", count: reported },
          {
            state: "waiting",
            count: isRunning(round) ? Math.max(0, cohort - reported - refused - dropouts) : 0,
          },
        ]
      : [
          { state: "ready", count: ready },
          {
            state: "training",
            count: isRunning(round) ? Math.max(0, offered - ready - dropouts - refused) : 0,
          },
        ];
  groups.push({ state: "refused", count: refused }, { state: "dropout", count: dropouts });
  return groups.filter(({ count }) => count > 0);
}

/** What a screen reader says of a round: changes with the phase, not with every count. */
export function roundSentence(round: RoundView): string {
  const name = `Round ${round.number}`;
  switch (round.phase) {
    case "selecting":
      return `${name} is selecting devices.`;
    case "training":
      return round.purpose === "train"
        ? `${name}: devices train from version ${round.baseVersion}.`
        : `${name}: ${round.purpose === "gate" ? "held-out devices" : "devices"} measure.`;
    case "reporting":
      return `${name}: a cohort of ${round.cohort} devices reports.`;
    case "aggregating":
      return `${name}: the reports are ${round.purpose === "train" ? "averaged" : "added up"}.`;
    case "committed":
      return `${name} is committed${round.version === null ? "" : ` as version ${round.version}`}.`;
    case "buffered":
      return `${name}: the sum waits for its version.`;
    case "abandoned":
      return `${name} was abandoned.`;
  }
}
