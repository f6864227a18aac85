import type { EstimateResult, EstimateView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { LineChart } from "../../charts/line-chart.tsx";
import { useDashboard } from "../../data/dashboard-context.ts";
import { formatBytes, formatCount, formatShare, NONE } from "../../format/numbers.ts";
import { answerOf, CAVEAT_WORDS, durationWords } from "../../model/estimate-words.ts";

const EVERY_MS = 700;

const ASSUMPTIONS = [
  { name: "devices", label: "Devices in the population", value: "1000" },
  { name: "examplesPerDevice", label: "Examples of each", value: "50" },
  { name: "dropout", label: "Share that vanish in a round", value: "0.1" },
  { name: "stepMs", label: "Milliseconds a batch", value: "20" },
  { name: "downlinkMbps", label: "Megabits a second down", value: "20" },
  { name: "uplinkMbps", label: "Megabits a second up", value: "5" },
] as const;

type Assumed = Readonly<Record<(typeof ASSUMPTIONS)[number]["name"], string>>;

/** What the task would take and cost: simulated beside the coordinator, and cancelled on demand. */
export function EstimateStep({ document }: { readonly document: object }): ReactNode {
  const { operator, queries } = useDashboard();
  const [assumed, setAssumed] = useState<Assumed>(
    () => Object.fromEntries(ASSUMPTIONS.map(({ name, value }) => [name, value])) as Assumed,
  );
  const [accuracy, setAccuracy] = useState("");
  const [skewed, setSkewed] = useState(false);
  const [started, setStarted] = useState<string>();
  const [failed, setFailed] = useState<string>();
  const estimate = useQuery({
    ...queries.estimate(started ?? ""),
    enabled: started !== undefined,
    refetchInterval: ({ state }) => (isUnderWay(state.data) ? EVERY_MS : false),
  });
  const target = accuracy.trim() === "" ? null : Number(accuracy) / 100;
  const begin = (): void => {
    setFailed(undefined);
    setStarted(undefined);
    const fleet = Object.fromEntries(Object.entries(assumed).map(([name, value]) => [name, Number(value)]));
    operator
      .run((api) =>
        api.estimateTask({
          task: document,
          fleet: { ...fleet, labels: skewed ? "skewed" : "alike" },
          goal: { accuracy: target },
          budgetSeconds: 30,
        }),
      )
      .then(
        ({ id }) => setStarted(id),
        (error: unknown) => setFailed(error instanceof Error ? error.message : String(error)),
      );
  };
  const cancel = (): void => {
    if (started !== undefined)
      operator
        .run((api) => api.cancelEstimate(started))
        .then(
          () => void estimate.refetch(),
          () => undefined,
        );
  };
  const view = estimate.data;
  return (
    <div className="entry-wide stack">
      <p>
        The coordinator plays the rounds among simulated devices, with the real protocol and real training.
        Say what yours are like; it takes half a minute at most.
      </p>
      <div className="fields">
        {ASSUMPTIONS.map(({ name, label }) => (
          <label key={name} className="entry">
            {label}
            <input
              inputMode="decimal"
              value={assumed[name]}
              onChange={(event) => setAssumed({ ...assumed, [name]: event.target.value })}
            />
          </label>
        ))}
        <label className="entry">
          Accuracy to reach, per cent
          <input inputMode="decimal" value={accuracy} onChange={(event) => setAccuracy(event.target.value)} />
        </label>
        <label className="choice">
          <input type="checkbox" checked={skewed} onChange={() => setSkewed(!skewed)} />
          Each device has mostly a few of the labels
        </label>
      </div>
      <div className="wizard-buttons">
        <button
          type="button"
          className="button main"
          disabled={isUnderWay(view)}
          data-testid="estimate-start"
          onClick={begin}
        >
          Estimate
        </button>
        {isUnderWay(view) && (
          <button type="button" data-testid="estimate-cancel" onClick={cancel}>
            Cancel
          </button>
        )}
      </div>
      {failed !== undefined && (
        <p role="alert" className="field-problem">
          {failed}
        </p>
      )}
      {view !== undefined && <Progress view={view} />}
      {view?.result && <Result result={view.result} target={target} />}
    </div>
  );
}

const isUnderWay = (view: EstimateView | undefined): boolean =>
  view?.state === "waiting" || view?.state === "running";

function Progress({ view }: { readonly view: EstimateView }): ReactNode {
  const { state, progress, error } = view;
  if (state === "done") return null;
  if (state === "cancelled") return <p className="quiet">Cancelled.</p>;
  if (state === "failed") {
    return (
      <p role="alert" className="field-problem">
        {error?.message} <code>{error?.code}</code>
      </p>
    );
  }
  return (
    <div>
      <progress max={1} value={progress.share} aria-label="Simulated so far" />
      <output className="quiet">
        {state === "waiting"
          ? "Waits for another estimate to end."
          : `${progress.rounds} rounds, ${durationWords(progress.clockSeconds)} of the devices' time${progress.accuracy === null ? "" : `, accuracy ${formatShare(progress.accuracy)}`}`}
      </output>
    </div>
  );
}

function Result({
  result,
  target,
}: {
  readonly result: EstimateResult;
  readonly target: number | null;
}): ReactNode {
  const { roundSeconds, perDevice, perRound, curve, caveats } = result;
  const x = curve.map(({ round }) => round);
  const values = curve.map((point) => point.accuracy);
  return (
    <div className="stack" data-testid="estimate-result">
      <p className="estimate-answer">{answerOf(result, target)}</p>
      <dl className="estimate-figures">
        <Figure title="A round" value={durationWords(roundSeconds.median)}>
          {durationWords(roundSeconds.low)} to {durationWords(roundSeconds.high)};{" "}
          {formatCount(result.roundsPerHour)} an hour
        </Figure>
        <Figure title="A device sends" value={formatBytes(perDevice.bytesUp)}>
          and receives {formatBytes(perDevice.bytesDown)} a round
        </Figure>
        <Figure title="A device computes" value={durationWords(perDevice.seconds)}>
          a round
        </Figure>
        <Figure title="The coordinator" value={durationWords(result.coordinatorCpuSeconds)}>
          of CPU a round, at most; {formatBytes(perRound.bytesUp)} come in
        </Figure>
        <Figure title="Devices in a sum" value={formatCount(perRound.cohort)}>
          {formatCount(perRound.dropouts)} lost a round
        </Figure>
        <Figure
          title="Accuracy at the end"
          value={result.accuracy === null ? NONE : formatShare(result.accuracy)}
        >
          after {result.rounds} rounds
        </Figure>
      </dl>
      {values.some((value) => value !== null) && (
        <LineChart
          label="Accuracy by simulated round"
          x={x}
          lines={[{ name: "accuracy", values }]}
          formatX={String}
          formatY={formatShare}
        />
      )}
      <h3>What it cannot know</h3>
      <ul className="caveats">
        {caveats.map((caveat) => (
          <li key={caveat}>{CAVEAT_WORDS[caveat]}</li>
        ))}
      </ul>
    </div>
  );
}

function Figure({
  title,
  value,
  children,
}: {
  readonly title: string;
  readonly value: string;
  readonly children: ReactNode;
}): ReactNode {
  return (
    <div className="estimate-figure">
      <dt>{title}</dt>
      <dd>
        {value} <span className="quiet">{children}</span>
      </dd>
    </div>
  );
}
