import { ROUND_PHASES, ROUND_PURPOSES, TASK_STATES, type SearchKind } from "@tributary/protocol";

export type FieldType = "number" | "text" | "date" | "flag" | "any";

/** What can be searched by. */
export interface SearchField {
  readonly name: string;
  readonly type: FieldType;
  /** Of what it is known. */
  readonly kinds: readonly SearchKind[];
  readonly description: string;
  /** The only texts there are. */
  readonly choices?: readonly string[];
  /** The name goes on: `parameter.learningRate`. */
  readonly open?: true;
}

const ALL = ["version", "round", "task"] as const satisfies readonly SearchKind[];
const VERSION = ["version"] as const satisfies readonly SearchKind[];
const ROUND = ["round"] as const satisfies readonly SearchKind[];
const TASK = ["task"] as const satisfies readonly SearchKind[];
const MADE = ["version", "round"] as const satisfies readonly SearchKind[];

type Rest = Pick<SearchField, "choices" | "open">;
const field = (
  name: string,
  type: FieldType,
  kinds: readonly SearchKind[],
  description: string,
  rest: Rest = {},
): SearchField => ({ name, type, kinds, description, ...rest });

/** Of versions, of the rounds that made them, and of the tasks of those; of tasks, what their newest version shows. */
export const SEARCH_FIELDS: readonly SearchField[] = Object.freeze([
  field(
    "accuracy",
    "number",
    ALL,
    "On held-out data, from 0 to 1; of a task: of its last round that trained",
  ),
  field("loss", "number", ALL, "On held-out data; of a task: of its last round that trained"),
  field("model", "text", ALL, "Name of the model"),
  field("task", "text", ALL, "Name of the task; of a version: that made it"),
  field("strategy", "text", ALL, "How updates become a step: fedAvg, fedAdam, ..."),
  field("created", "date", ALL, "When it was made or began"),
  field("population", "text", ALL, "Devices that are asked"),
  field("version", "number", MADE, "Number of the version; of a round: that it made"),
  field("base", "number", MADE, "The version it grew out of"),
  field("round", "number", MADE, "Number of the round within its task; of a version: that made it"),
  field("cohort", "number", MADE, "Devices in the sum"),
  field("examples", "number", MADE, "Examples in the sum"),
  field("gate", "text", VERSION, "What the task's gate found", {
    choices: ["passed", "failed", "undecided"],
  }),
  field("released", "date", VERSION, "When the channel stable was last moved to it"),
  field("parameters", "number", VERSION, "How many weights it has"),
  field("size", "number", VERSION, "Of its weights, in bytes"),
  field("phase", "text", ROUND, "How far it is, or how it ended", { choices: ROUND_PHASES }),
  field("purpose", "text", ROUND, "What it is for", { choices: ROUND_PURPOSES }),
  field("reason", "text", ["round", "task"], "Why it was abandoned, or why the task does not run"),
  field("private", "flag", ROUND, "Whether no sum could come out that hides an update among fewer than 16"),
  field("offered", "number", ROUND, "Devices that got an offer"),
  field("ready", "number", ROUND, "Devices that were ready in time"),
  field("reported", "number", ROUND, "Devices that reported"),
  field("dropouts", "number", ROUND, "Devices that were lost"),
  field("refused", "number", ROUND, "Updates that did not count"),
  field("seconds", "number", ROUND, "How long it took"),
  field("bytesUp", "number", ROUND, "From devices"),
  field("bytesDown", "number", ROUND, "To devices"),
  field("trainLoss", "number", ROUND, "On the devices' own examples, while they trained"),
  field("trainAccuracy", "number", ROUND, "On the devices' own examples, while they trained"),
  field("ended", "date", ROUND, "When it ended"),
  field("state", "text", TASK, "Whether it runs", { choices: TASK_STATES }),
  field("secure", "flag", ["round", "task"], "Whether the coordinator sees sums only"),
  field("metric", "number", VERSION, "A metric of the task on held-out data, by its name: metric.top5", {
    open: true,
  }),
  field("parameter", "number", ALL, "Of the strategy, by its name: parameter.learningRate", { open: true }),
  field("spec", "any", ALL, "Of the task's document, by its path: spec.local.epochs", { open: true }),
]);

const BY_NAME: ReadonlyMap<string, SearchField> = new Map(SEARCH_FIELDS.map((each) => [each.name, each]));

/** The field of a name as it stands in a query; undefined: there is none. */
export function fieldOf(name: string): SearchField | undefined {
  const dot = name.indexOf(".");
  const found = BY_NAME.get(dot < 0 ? name : name.slice(0, dot));
  return (found?.open === true) === dot >= 0 ? found : undefined;
}

/** The kinds that know all of these fields. */
export function kindsOf(names: Iterable<string>): readonly SearchKind[] {
  const fields = [...names].map((name) => fieldOf(name)!);
  return ALL.filter((kind) => fields.every(({ kinds }) => kinds.includes(kind)));
}

/** Names that may have been meant: those nearest to this one, or that hold it. */
export function similarFields(name: string): readonly string[] {
  const wanted = name.toLowerCase();
  return SEARCH_FIELDS.map((each) => ({ each, far: distance(wanted, each.name.toLowerCase()) }))
    .filter(({ each, far }) => far <= 2 || each.name.toLowerCase().startsWith(wanted))
    .toSorted((a, b) => a.far - b.far)
    .slice(0, 3)
    .map(({ each }) => (each.open === true ? `${each.name}.NAME` : each.name));
}

/** How many letters have to be put in, taken out or changed (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of a.split("").entries()) {
    const next = [i + 1];
    for (const [j, other] of b.split("").entries())
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + (letter === other ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}
