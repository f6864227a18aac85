import type { RolloutGateView, RolloutView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useDashboard } from "../data/dashboard-context.ts";
import { formatShare } from "../format/numbers.ts";
import { formatFull } from "../format/time.ts";
import {
  comparisonLine,
  differenceMarks,
  gateTitle,
  meanOf,
  rolloutActions,
  type RolloutAction,
} from "../model/rollout-lines.ts";
import { OperatorTokenField } from "./operator-token-field.tsx";

const STATE_WORDS = {
  running: "running",
  paused: "paused",
  completed: "completed",
  "rolled-back": "rolled back",
  aborted: "ended",
} as const satisfies Record<RolloutView["state"], string>;

/** The newest rollout of a model: its steps, what its gates find, and what can be done. Nothing where there was none. */
export function RolloutCard({ model }: { readonly model: string }): ReactNode {
  const { queries } = useDashboard();
  const [view] = useQuery(queries.rollouts(model)).data ?? [];
  if (view === undefined) return null;
  const tried = view.arms.map(({ version }) => version).join(", ");
  return (
    <section
      className="card stack"
      aria-labelledby="rollout-title"
      data-testid="rollout"
      data-state={view.state}
    >
      <div className="card-head">
        <h2 id="rollout-title">Rollout {view.rollout}</h2>
        <span className="pill" data-state={view.state}>
          {STATE_WORDS[view.state]}
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
      <RolloutActions key={`${view.rollout} ${view.state}`} view={view} />
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
          </div>
        );
      })}
    </li>
  );
}

type Progress =
  | { readonly chosen: RolloutAction; readonly busy?: boolean; readonly failed?: string }
  | undefined;

/** Each button says what it does, and asks, before it is done. */
function RolloutActions({ view }: { readonly view: RolloutView }): ReactNode {
  const { operator } = useDashboard();
  const [progress, setProgress] = useState<Progress>();
  const [token, setToken] = useState("");
  const actions = rolloutActions(view);
  if (actions.length === 0) return null;
  if (progress === undefined) {
    return (
      <div className="actions">
        {actions.map((each) => (
          <button
            key={`${each.action} ${each.arm ?? ""}`}
            type="button"
            className={each.hurts ? "more hurts" : "more"}
            data-testid={`rollout-${each.action}`}
            onClick={() => setProgress({ chosen: each })}
          >
            {each.label}
          </button>
        ))}
      </div>
    );
  }
  const { chosen, busy = false, failed } = progress;
  const run = (): void => {
    setProgress({ chosen, busy: true });
    const { action, arm } = chosen;
    const change = { action, ...(arm === undefined ? {} : { arm }) };
    operator.changeRollout(view, change, operator.known ? undefined : token.trim()).then(
      // The stream tells what became of it.
      () => setProgress(undefined),
      (error: unknown) =>
        setProgress({ chosen, failed: error instanceof Error ? error.message : String(error) }),
    );
  };
  return (
    <form
      className="release-form"
      onSubmit={(event) => {
        event.preventDefault();
        run();
      }}
    >
      <p data-testid="rollout-consequence">{chosen.consequence}</p>
      {!operator.known && <OperatorTokenField token={token} onChange={setToken} />}
      <div className="actions">
        <button
          type="submit"
          className={chosen.hurts ? "more hurts" : "more"}
          disabled={busy}
          data-testid="rollout-confirm"
        >
          {busy ? "Working…" : chosen.label}
        </button>
        <button type="button" className="more" disabled={busy} onClick={() => setProgress(undefined)}>
          Leave it
        </button>
      </div>
      {failed !== undefined && (
        <p role="alert" className="lost">
          {failed}
        </p>
      )}
    </form>
  );
}
