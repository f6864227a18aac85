import type { RolloutGateView, RolloutView } from "@tributary/api-client";
import type { ReactNode } from "react";
import { formatShare } from "../../format/numbers.ts";
import { formatFull } from "../../format/time.ts";
import {
  comparisonLine,
  differenceMarks,
  evidence,
  gateTitle,
  meanOf,
  ROLLOUT_STATES,
  rolloutActions,
} from "../../model/rollout-lines.ts";
import { Bars } from "../../ui/bars.tsx";
import { ActionButton } from "../../ui/action-button.tsx";

/** A rollout: its steps, what its gates find, and what can be done. */
export function RolloutCard({ view }: { readonly view: RolloutView }): ReactNode {
  const tried = view.arms.map(({ version }) => version).join(", ");
  return (
    <section
      className="card stack"
      aria-labelledby="rollout-title"
      data-testid="rollout"
      data-state={view.state}
    >
      <div className="card-head">
        <h2 id="rollout-title">Steps and gates</h2>
        <span className="pill" data-state={view.state}>
          {ROLLOUT_STATES[view.state]}
        </span>
      </div>
      <p>
        Version {tried} on channel {view.channel}, against version {view.control}.
      </p>
      {view.reason !== null && (
        <p className={view.state === "rolled-back" ? "lost" : "quiet"} data-testid="rollout-reason">
          {view.reason.message}
        </p>
      )}
      <StepRail view={view} />
      {view.waitsFor.length > 0 && (
        <p className="quiet" data-testid="rollout-waits">
          {view.state === "paused" ? "Would wait for " : "Waits for "}
          {view.waitsFor.join("; ")}.
        </p>
      )}
      {view.gates.length === 0 && <p className="quiet">It has no gates: its steps pass by time alone.</p>}
      <ul className="gates">
        {view.gates.map((gate) => (
          <GateRow key={`${gate.metric} ${gate.evidence}`} gate={gate} arms={view.arms.length} />
        ))}
      </ul>
      <RolloutActions view={view} />
    </section>
  );
}

function StepRail({ view }: { readonly view: RolloutView }): ReactNode {
  return (
    <ol className="steps" aria-label="Steps">
      {view.steps.map((step, i) => {
        const enlarged = step.share > Math.round(step.percent * 100);
        const to = [...step.tags, ...(step.devices.length > 0 ? [`${step.devices.length} named`] : [])].join(
          ", ",
        );
        return (
          <li
            // Steps have no name but their place.
            // oxlint-disable-next-line react/no-array-index-key
            key={i}
            className="step"
            data-status={step.state}
            data-testid="rollout-step"
            aria-current={step.state === "current" ? "step" : undefined}
            title={[
              enlarged ? `enlarged from ${step.percent} %, so that cohorts are filled` : "",
              step.startedAt === null ? "" : `began ${formatFull(step.startedAt)}`,
              step.passedAt === null ? "" : `passed ${formatFull(step.passedAt)}`,
            ]
              .filter((text) => text !== "")
              .join("; ")}
          >
            <span className="step-mark" aria-hidden="true" />
            <span className="step-share">{step.share / 100} %</span>
            {to !== "" && <span className="step-to">{to}</span>}
          </li>
        );
      })}
    </ol>
  );
}

function GateRow({ gate, arms }: { readonly gate: RolloutGateView; readonly arms: number }): ReactNode {
  return (
    <li className="gate-row" data-testid="rollout-gate" data-metric={gate.metric}>
      <h3>{gateTitle(gate)}</h3>
      {gate.comparisons.map((found) => {
        const at = differenceMarks(found, gate.margin);
        return (
          <div key={found.arm} className="comparison" data-verdict={found.verdict}>
            <p className="comparison-means">
              {arms > 1 && <strong>{found.arm}: </strong>}
              <strong>{meanOf(found.treated)}</strong> with it, <strong>{meanOf(found.control)}</strong>{" "}
              without
            </p>
            <figure
              className="interval"
              aria-label={`difference from ${formatShare(found.lower)} to ${formatShare(found.upper)}; more than ${formatShare(gate.margin)} is taken back`}
            >
              <svg viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true">
                <rect className="interval-harm" x={at.margin} y="0" width={100 - at.margin} height="20" />
                <line className="interval-zero" x1="50" x2="50" y1="0" y2="20" />
                <line className="interval-margin" x1={at.margin} x2={at.margin} y1="0" y2="20" />
                <line className="interval-range" x1={at.lower} x2={at.upper} y1="10" y2="10" />
                {at.difference !== undefined && (
                  <line className="interval-mean" x1={at.difference} x2={at.difference} y1="3" y2="17" />
                )}
              </svg>
              <figcaption>
                <span>better</span>
                <span>worse</span>
              </figcaption>
            </figure>
            <p className="quiet">{comparisonLine(gate, found)}</p>
            <Bars
              label="Evidence so far"
              bars={[
                { name: "That it is worse", ...evidence(found.worse, gate.alpha) },
                { name: "That it is not", ...evidence(found.notWorse, gate.alpha) },
              ]}
            />
          </div>
        );
      })}
    </li>
  );
}

/** Each button says what it does, and asks, before it is done. */
function RolloutActions({ view }: { readonly view: RolloutView }): ReactNode {
  const actions = rolloutActions(view);
  if (actions.length === 0) return null;
  return (
    <div className="actions">
      {actions.map(({ action, arm, label, consequence, hurts, done }) => (
        <ActionButton
          key={`${action} ${arm ?? ""}`}
          label={label}
          title={`${label}: rollout ${view.rollout} of ${view.model}`}
          confirm={label}
          consequence={consequence}
          hurts={hurts}
          done={done}
          of={view.model}
          testId={`rollout-${action}`}
          run={(api) =>
            api.changeRollout(view.model, view.rollout, { action, ...(arm === undefined ? {} : { arm }) })
          }
        />
      ))}
    </div>
  );
}
