import type { RoundView } from "@tributary/api-client";
import type { ReactNode } from "react";
import { phaseSteps, type StepStatus } from "../model/round-progress.ts";
import { CheckIcon, CrossIcon } from "../ui/icons.tsx";

const STATUS_WORDS: Readonly<Record<StepStatus, string>> = {
  done: "done",
  current: "under way",
  upcoming: "to come",
  failed: "failed",
};

/** The phases of a round from left to right. */
export function PhaseTimeline({ round }: { readonly round: RoundView }): ReactNode {
  return (
    <ol className="phases" data-testid="phases" data-phase={round.phase} aria-label="Phases of the round">
      {phaseSteps(round).map((step) => (
        <li
          key={step.label}
          className="phase"
          data-status={step.status}
          aria-current={step.status === "current" ? "step" : undefined}
        >
          <span className="phase-mark" aria-hidden="true">
            {step.status === "done" && <CheckIcon />}
            {step.status === "failed" && <CrossIcon />}
          </span>
          <span className="phase-label">{step.label}</span>
          <span className="visually-hidden">{STATUS_WORDS[step.status]}</span>
        </li>
      ))}
    </ol>
  );
}
