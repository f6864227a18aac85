import type { SearchKind } from "@tributary/protocol";
import { type RawBuilder, sql } from "kysely";

/** What a field of the search is in SQL. */
export interface SearchColumn {
  readonly value: RawBuilder<unknown>;
  /** Of JSON, whose values are of any type: what `json_type` calls it. */
  readonly jsonType?: RawBuilder<unknown>;
}

const plain = (reference: string): SearchColumn => ({ value: sql.ref(reference) });

const VERSIONS: Readonly<Record<string, SearchColumn>> = {
  accuracy: plain("v.accuracy"),
  loss: plain("v.loss"),
  model: plain("v.model"),
  created: plain("v.createdAt"),
  version: plain("v.version"),
  base: plain("v.parentVersion"),
  round: plain("r.number"),
  cohort: plain("v.cohort"),
  examples: plain("v.numExamples"),
  gate: { value: sql`json_extract(v.gate, '$.result')` },
  released: plain("v.releasedAt"),
  parameters: plain("v.parameterCount"),
  size: plain("v.weightsSizeBytes"),
  strategy: { value: sql`json_extract(v.strategy, '$.name')` },
};

const ROUNDS: Readonly<Record<string, SearchColumn>> = {
  accuracy: plain("r.accuracy"),
  loss: plain("r.loss"),
  model: plain("r.model"),
  created: plain("r.startedAt"),
  ended: plain("r.endedAt"),
  version: plain("r.version"),
  base: plain("r.baseVersion"),
  round: plain("r.number"),
  cohort: plain("r.cohort"),
  examples: plain("r.numExamples"),
  reason: plain("r.reason"),
  private: { value: sql`coalesce(json_extract(r.secure, '$.private'), 0)` },
  secure: { value: sql`r.secure is not null` },
};
for (const name of [
  "phase",
  "purpose",
  "offered",
  "ready",
  "reported",
  "dropouts",
  "refused",
  "seconds",
  "bytesUp",
  "bytesDown",
  "trainLoss",
  "trainAccuracy",
])
  Object.assign(ROUNDS, { [name]: plain(`r.${name}`) });

/** Of the last round of the task that trained and made a version. */
const ofLastRound = (column: string): SearchColumn => ({
  value: sql`(select ${sql.ref(`last.${column}`)} from rounds as last where last.task = t.name and last.phase = 'committed'
    and last.purpose = 'train' order by last.number desc limit 1)`,
});

const TASKS: Readonly<Record<string, SearchColumn>> = {
  accuracy: ofLastRound("accuracy"),
  loss: ofLastRound("loss"),
  model: plain("t.model"),
  created: plain("t.createdAt"),
  state: plain("t.state"),
  reason: { value: sql`json_extract(t.reason, '$.code')` },
  secure: { value: sql`json_extract(t.spec, '$.secureAggregation.mode') = 'on'` },
};

/** Of whatever belongs to a task. */
const OF_TASK: Readonly<Record<string, SearchColumn>> = {
  task: plain("t.name"),
  population: plain("t.population"),
  strategy: { value: sql`json_extract(t.spec, '$.strategy.name')` },
};

const OWN: Readonly<Record<SearchKind, Readonly<Record<string, SearchColumn>>>> = {
  version: VERSIONS,
  round: ROUNDS,
  task: TASKS,
};

/** A field that the kind knows, by its name in a query. */
export function searchColumn(kind: SearchKind, name: string): SearchColumn {
  const found = OWN[kind][name] ?? OF_TASK[name];
  if (found !== undefined) return found;
  const [group, ...rest] = name.split(".");
  if (group === "spec") return inJson(sql.ref("t.spec"), pathOf(rest));
  if (group === "metric") return inJson(sql.ref("v.metrics"), `${pathOf([rest.join(".")])}[0]`);
  if (group === "parameter" && kind === "version")
    return inJson(sql.ref("v.strategy"), pathOf(["parameters", rest.join(".")]));
  if (group === "parameter")
    return inJson(sql.ref("t.spec"), pathOf(["strategy", "parameters", rest.join(".")]));
  throw new TypeError(`search: ${kind} has no column for "${name}"`);
}

function inJson(document: RawBuilder<unknown>, path: string): SearchColumn {
  return {
    value: sql`json_extract(${document}, ${path})`,
    jsonType: sql`json_type(${document}, ${path})`,
  };
}

/** Names are letters, digits, dashes and underscores: nothing in them ends a quoted label. */
function pathOf(names: readonly string[]): string {
  return `$${names.map((name) => `."${name}"`).join("")}`;
}
