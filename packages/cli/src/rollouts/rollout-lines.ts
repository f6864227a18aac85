import type { RolloutGateView, RolloutView } from "@tributary/api-client";
import type { RolloutSimulation } from "@tributary/protocol";
import { tableLines, type TableColumn } from "../table.ts";

type Step = RolloutView["steps"][number];
type Comparison = RolloutGateView["comparisons"][number];
type Row = Comparison & { readonly gate: RolloutGateView };

const percent = (value: number | null): string => (value === null ? "-" : `${(value * 100).toFixed(1)} %`);

const STEPS: readonly TableColumn<Step & { readonly number: number }>[] = [
  { title: "step", align: "right", cell: ({ number }) => String(number) },
  { title: "asked", align: "right", cell: (step) => `${step.percent} %` },
  { title: "signed", align: "right", cell: ({ share }) => `${share / 100} %` },
  { title: "whose", cell: ({ tags, devices }) => whose(tags, devices.length) },
  { title: "state", cell: ({ state }) => state },
  { title: "began", cell: ({ startedAt }) => startedAt ?? "" },
  { title: "passed", cell: ({ passedAt }) => passedAt ?? "" },
];

const GATES: readonly TableColumn<Row>[] = [
  { title: "gate", cell: ({ gate }) => gateName(gate) },
  { title: "arm", cell: ({ arm }) => arm },
  { title: "treated", align: "right", cell: ({ treated }) => percent(treated) },
  { title: "control", align: "right", cell: ({ control }) => percent(control) },
  { title: "difference", align: "right", cell: ({ difference }) => percent(difference) },
  { title: "interval", cell: ({ lower, upper }) => `${percent(lower)} to ${percent(upper)}` },
  { title: "margin", align: "right", cell: ({ gate }) => percent(gate.margin) },
  { title: "e worse", align: "right", cell: ({ worse }) => eValue(worse) },
  { title: "e not worse", align: "right", cell: ({ notWorse }) => eValue(notWorse) },
  { title: "decides at", align: "right", cell: ({ gate }) => eValue(1 / gate.alpha) },
  { title: "of", cell: (row) => `${row.treatedCount} / ${row.controlCount} ${row.gate.evidence}` },
  { title: "verdict", cell: ({ verdict }) => verdict },
];

/** How a rollout stands: its steps, and what its gates find of treated against control. */
export function rolloutLines(view: RolloutView): string[] {
  const rows = view.gates.flatMap((gate) => gate.comparisons.map((each): Row => ({ ...each, gate })));
  return [
    headline(view),
    ...(view.reason === null ? [] : [`  ${view.reason.code}: ${view.reason.message}`]),
    "",
    ...indented(
      tableLines(
        STEPS,
        view.steps.map((step, i) => ({ ...step, number: i + 1 })),
      ),
    ),
    ...(rows.length === 0
      ? ["", "  no gates: steps pass by time alone"]
      : ["", ...indented(tableLines(GATES, rows))]),
    ...(view.waitsFor.length === 0 ? [] : ["", `  waits for ${view.waitsFor.join("; ")}`]),
  ];
}

export function headline({ model, rollout, channel, state, control, arms }: RolloutView): string {
  const tried = arms.map(
    ({ name, version, state: is }) => `${name} = ${version}${is === "tried" ? "" : ` ${is}`}`,
  );
  return `${model} ${rollout}  ${state}  ${channel}: ${tried.join(", ")} against ${control}`;
}

/** On what each gate rests, and where a step was enlarged: what an operator has to know at the start. */
export function evidenceLines({ gates, steps, spec }: RolloutView): string[] {
  const source = (gate: RolloutGateView): string =>
    gate.evidence === "devices"
      ? "what single devices tell under their own names (coarse counters, where the app lets them)"
      : `sums over cohorts of task "${spec.telemetryTask ?? ""}", treated and control in turn`;
  const enlarged = steps.flatMap(({ percent: asked, share }, i) =>
    share > Math.round(asked * 100)
      ? [
          `step ${i + 1} is enlarged from ${asked} % to ${share / 100} %, so that treated devices fill a cohort`,
        ]
      : [],
  );
  return [...gates.map((gate) => `gate on ${gateName(gate)} rests on ${source(gate)}`), ...enlarged];
}

export function simulationLines(found: RolloutSimulation, falseAlarmRate: number): string[] {
  const { rollouts, seed, power, devicesToRollBack, percentAtRollBack, completed } = found;
  return [
    `${rollouts} simulated rollouts of each kind, seed ${seed}`,
    `false alarms: ${percent(found.falseAlarmRate)} of rollouts of what is no worse were taken back (asked for: at most ${percent(falseAlarmRate)})`,
    `  at the edge, of what is worse by every gate's margin and no more: ${percent(found.falseAlarmRateAtMargin)}`,
    `power: ${percent(power)} of rollouts that do the stated harm were taken back`,
    ...(devicesToRollBack === null
      ? []
      : [`  half of them by ${devicesToRollBack} treated devices, at the step of ${percentAtRollBack} %`]),
    ...(completed > 0.5
      ? [`${percent(completed)} of rollouts of what is no worse came to their end`]
      : [
          `only ${percent(completed)} of rollouts of what is no worse came to their end: steps have too few devices to pass; enlarge them, or lower minimumDevices`,
        ]),
  ];
}

function gateName({ metric, latencyMs }: RolloutGateView): string {
  return latencyMs === undefined ? metric : `${metric} from ${latencyMs} ms`;
}

function whose(tags: readonly string[], devices: number): string {
  const named = devices === 0 ? "" : ` and ${devices} named`;
  return `${tags.length === 0 ? "all" : tags.join(", ")}${named}`;
}

function eValue(value: number): string {
  return value >= 10_000 ? value.toExponential(1) : value.toFixed(value < 10 ? 2 : 0);
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
