import type { SearchKind } from "@tributary/protocol";
import type { VersionRecord } from "../../src/ports/model-records.ts";
import type { RoundRecord } from "../../src/ports/round-records.ts";
import type { TaskRecord } from "../../src/ports/task-records.ts";
import type { Operator, Query, QueryValue } from "../../src/search/query.ts";

/** Everything that is searched, in memory. */
export interface World {
  readonly tasks: readonly TaskRecord[];
  readonly rounds: readonly RoundRecord[];
  readonly versions: readonly VersionRecord[];
}

type Row =
  | { readonly kind: "version"; readonly version: VersionRecord }
  | { readonly kind: "round"; readonly round: RoundRecord }
  | { readonly kind: "task"; readonly task: TaskRecord };

export function rowsOf(world: World, kind: SearchKind): readonly Row[] {
  if (kind === "version") return world.versions.map((version) => ({ kind, version }));
  if (kind === "round") return world.rounds.map((round) => ({ kind, round }));
  return world.tasks.map((task) => ({ kind, task }));
}

/** What a query means, said as plainly as can be. */
export function meets(world: World, row: Row, query: Query, now: number): boolean {
  switch (query.type) {
    case "all":
      return true;
    case "and":
      return meets(world, row, query.left, now) && meets(world, row, query.right, now);
    case "or":
      return meets(world, row, query.left, now) || meets(world, row, query.right, now);
    case "not":
      return !meets(world, row, query.of, now);
    case "in": {
      const found = query.values.some((value) => compared(valueOf(world, row, query.field), "=", value, now));
      return query.negated ? !found : found;
    }
    case "compare": {
      const value = valueOf(world, row, query.field);
      if (query.operator === "!=") return !compared(value, "=", query.value, now);
      if (query.operator === "!~") return !compared(value, "~", query.value, now);
      return compared(value, query.operator, query.value, now);
    }
  }
}

function compared(value: unknown, operator: Operator, wanted: QueryValue, now: number): boolean {
  if (wanted.type === "none") return value === null || value === undefined;
  if (value === null || value === undefined) return false;
  if (wanted.type === "date") {
    const at = value as number;
    if (operator === "=") return at >= wanted.from && at < wanted.to;
    if (operator === "<") return at < wanted.from;
    if (operator === "<=") return at < wanted.to;
    return operator === ">" ? at >= wanted.to : at >= wanted.from;
  }
  const other = wanted.type === "ago" ? now - wanted.ms : wanted.value;
  if (typeof value !== typeof other) return false;
  if (operator === "~") return lower(value as string).includes(lower(other as string));
  if (operator === "=") return value === other;
  const [a, b] = [value as number, other as number];
  if (operator === "<") return a < b;
  if (operator === "<=") return a <= b;
  return operator === ">" ? a > b : a >= b;
}

/** Of ASCII letters, as the database has it. */
const lower = (text: string): string => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

function valueOf(world: World, row: Row, field: string): unknown {
  const round =
    row.kind === "round"
      ? row.round
      : row.kind === "version"
        ? world.rounds.find(({ id }) => id === row.version.roundId)
        : undefined;
  const task = row.kind === "task" ? row.task : world.tasks.find(({ name }) => name === round?.task);
  const [group, ...path] = field.split(".");
  if (group === "spec") {
    const found = path.reduce<unknown>(
      (at, name) => (at as Record<string, unknown> | null | undefined)?.[name],
      task?.spec,
    );
    return typeof found === "object" ? (found === null ? null : {}) : found;
  }
  if (group === "metric") return row.kind === "version" ? row.version.metrics[path[0]!]?.[0] : undefined;
  const choice = row.kind === "version" ? row.version.strategy : task?.spec.strategy;
  if (group === "parameter") return choice?.parameters[path[0]!];
  if (field === "strategy") return choice?.name;
  if (field === "task") return task?.name;
  if (field === "population") return task?.population;
  if (row.kind === "version") {
    const { version } = row;
    const own: Record<string, unknown> = {
      created: version.createdAt,
      base: version.parentVersion,
      round: round?.number,
      examples: version.numExamples,
      gate: version.gate?.result,
      released: version.releasedAt,
      parameters: version.parameterCount,
      size: version.weights.sizeBytes,
    };
    return Object.hasOwn(own, field) ? own[field] : version[field as keyof VersionRecord];
  }
  if (row.kind === "round") {
    const own: Record<string, unknown> = {
      created: row.round.startedAt,
      ended: row.round.endedAt,
      base: row.round.baseVersion,
      round: row.round.number,
      examples: row.round.numExamples,
      private: row.round.secure?.private ?? false,
      secure: row.round.secure !== null,
    };
    return Object.hasOwn(own, field) ? own[field] : row.round[field as keyof RoundRecord];
  }
  const last = world.rounds
    .filter(
      ({ task: name, phase, purpose }) =>
        name === row.task.name && phase === "committed" && purpose === "train",
    )
    .toSorted((a, b) => b.number - a.number)[0];
  const own: Record<string, unknown> = {
    created: row.task.createdAt,
    accuracy: last?.accuracy,
    loss: last?.loss,
    reason: row.task.reason?.code,
    secure: row.task.spec.secureAggregation.mode === "on",
  };
  return Object.hasOwn(own, field) ? own[field] : row.task[field as keyof TaskRecord];
}
