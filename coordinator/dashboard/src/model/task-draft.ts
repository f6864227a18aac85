/** What the steps of a new task ask for, as it is typed. */
export interface TaskDraft {
  readonly name: string;
  readonly model: string;
  readonly trainable: string;
  /** Digest of a data set; empty: none. */
  readonly dataset: string;
  readonly strategy: string;
  /** `learningRate=0.01 beta1=0.9` */
  readonly strategyParameters: string;
  readonly epochs: string;
  readonly batchSize: string;
  readonly learningRate: string;
  readonly rounds: string;
  readonly population: string;
  readonly goalCount: string;
  readonly minimumCount: string;
  readonly trainDeadlineSeconds: string;
  readonly schedule: "always" | "nightly" | "cron";
  readonly cron: string;
  readonly hours: string;
  readonly timeZone: string;
  readonly secure: boolean;
  readonly minimumCohort: string;
  readonly gate: boolean;
  readonly gateMetric: "loss" | "accuracy";
  readonly heldOutShare: string;
  readonly release: "every" | "on-gate" | "manual";
}

/** What the coordinator would fill in, shown so that one sees what one leaves as it is. */
export const EMPTY_DRAFT: TaskDraft = Object.freeze({
  name: "",
  model: "",
  trainable: "*",
  dataset: "",
  strategy: "fedAvg",
  strategyParameters: "",
  epochs: "1",
  batchSize: "10",
  learningRate: "0.05",
  rounds: "",
  population: "default",
  goalCount: "24",
  minimumCount: "2",
  trainDeadlineSeconds: "60",
  schedule: "always",
  cron: "0 22 * * *",
  hours: "8",
  timeZone: "UTC",
  secure: true,
  minimumCohort: "16",
  gate: false,
  gateMetric: "loss",
  heldOutShare: "0.1",
  release: "every",
});

type Field = keyof TaskDraft;

export interface Step {
  readonly id: "model" | "learning" | "devices" | "protection" | "estimate" | "review";
  readonly title: string;
  readonly fields: readonly Field[];
}

export const STEPS: readonly Step[] = [
  { id: "model", title: "Model", fields: ["name", "model", "trainable", "dataset"] },
  {
    id: "learning",
    title: "Learning",
    fields: ["strategy", "strategyParameters", "epochs", "batchSize", "learningRate", "rounds"],
  },
  {
    id: "devices",
    title: "Devices",
    fields: [
      "population",
      "goalCount",
      "minimumCount",
      "trainDeadlineSeconds",
      "schedule",
      "cron",
      "hours",
      "timeZone",
    ],
  },
  {
    id: "protection",
    title: "Protection and release",
    fields: ["secure", "minimumCohort", "gate", "gateMetric", "heldOutShare", "release"],
  },
  { id: "estimate", title: "Estimate", fields: [] },
  { id: "review", title: "Review", fields: [] },
];

/** Which field a part of the document comes from: the longest beginning of a path wins. */
const PATHS: Readonly<Record<string, Field>> = {
  "/name": "name",
  "/model": "model",
  "/trainable": "trainable",
  "/evaluation": "dataset",
  "/strategy": "strategy",
  "/strategy/parameters": "strategyParameters",
  "/local/epochs": "epochs",
  "/local/batchSize": "batchSize",
  "/local/learningRate": "learningRate",
  "/rounds": "rounds",
  "/population": "population",
  "/cohort/goalCount": "goalCount",
  "/cohort/minimumCount": "minimumCount",
  "/cohort/trainDeadlineMs": "trainDeadlineSeconds",
  "/schedule": "cron",
  "/schedule/timeZone": "timeZone",
  "/secureAggregation": "minimumCohort",
  "/gate": "gateMetric",
  "/gate/minimumDevices": "minimumCohort",
  "/gate/heldOutShare": "heldOutShare",
  "/release": "release",
};

export function fieldAt(path: string): Field | undefined {
  const known = Object.keys(PATHS)
    .filter((each) => path === each || path.startsWith(`${each}/`))
    .toSorted((a, b) => b.length - a.length)[0];
  return known === undefined ? undefined : PATHS[known];
}

/** The step that asks for a field. */
export function stepOf(field: Field): Step {
  return STEPS.find(({ fields }) => fields.includes(field))!;
}

/** A task's document: what is as the coordinator would have it is left out. */
export function documentOf(draft: TaskDraft): Readonly<Record<string, unknown>> {
  const changed = (field: Field): boolean => draft[field] !== EMPTY_DRAFT[field];
  const number = (field: Field): unknown => numberOf(String(draft[field]));
  const group = (
    fields: Readonly<Record<string, unknown>>,
  ): Readonly<Record<string, unknown>> | undefined => {
    const kept = Object.entries(fields).filter(([, value]) => value !== undefined);
    return kept.length === 0 ? undefined : Object.fromEntries(kept);
  };
  const when = (field: Field, value: unknown): unknown => (changed(field) ? value : undefined);
  return (
    group({
      name: draft.name,
      model: draft.model,
      population: when("population", draft.population),
      rounds: draft.rounds === "" ? undefined : number("rounds"),
      trainable: when(
        "trainable",
        draft.trainable.split(/[\s,]+/).filter((each) => each !== ""),
      ),
      local: group({
        epochs: when("epochs", number("epochs")),
        batchSize: when("batchSize", number("batchSize")),
        learningRate: when("learningRate", number("learningRate")),
      }),
      strategy: group({
        name: when("strategy", draft.strategy),
        parameters:
          draft.strategyParameters.trim() === "" ? undefined : parametersOf(draft.strategyParameters),
      }),
      cohort: group({
        goalCount: when("goalCount", number("goalCount")),
        minimumCount: when("minimumCount", number("minimumCount")),
        trainDeadlineMs: when("trainDeadlineSeconds", milliseconds(number("trainDeadlineSeconds"), 1_000)),
      }),
      schedule: scheduleOf(draft),
      evaluation: group({ dataset: draft.dataset.trim() === "" ? undefined : draft.dataset.trim() }),
      secureAggregation: draft.secure
        ? group({ minimumCohort: when("minimumCohort", number("minimumCohort")) })
        : { mode: "off" },
      gate: draft.gate ? { metric: draft.gateMetric, heldOutShare: number("heldOutShare") } : undefined,
      release: when("release", draft.release),
    }) ?? {}
  );
}

function scheduleOf(draft: TaskDraft): object | undefined {
  if (draft.schedule === "always") return undefined;
  const window =
    draft.schedule === "nightly"
      ? { cron: "0 22 * * *", durationMs: 8 * 3_600_000 }
      : { cron: draft.cron, durationMs: milliseconds(numberOf(draft.hours), 3_600_000) };
  return { windows: [window], timeZone: draft.timeZone };
}

/** As a number where it is one; what was typed else, which the coordinator refuses at its field. */
function numberOf(text: string): unknown {
  const value = Number(text);
  return text.trim() === "" || Number.isNaN(value) ? text : value;
}

function milliseconds(value: unknown, unit: number): unknown {
  return typeof value === "number" ? Math.round(value * unit) : value;
}

function parametersOf(text: string): Readonly<Record<string, unknown>> {
  const pairs = text
    .split(/[\s,]+/)
    .filter((each) => each !== "")
    .map((each) => each.split("=") as [string, string?]);
  return Object.fromEntries(pairs.map(([name, value = ""]) => [name, numberOf(value)]));
}

/** What one would type in a terminal for the same: the document goes in by its file. */
export function commandOf(document: object): string {
  const text = JSON.stringify(document);
  return `printf '%s' '${text.replaceAll("'", String.raw`'\''`)}' > task.json && tributary task create task.json`;
}
