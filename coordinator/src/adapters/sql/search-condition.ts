import type { SearchKind } from "@tributary/protocol";
import { type RawBuilder, sql } from "kysely";
import type { Operator, Query, QueryValue } from "../../search/query.ts";
import { searchColumn, type SearchColumn } from "./search-columns.ts";

type Condition = RawBuilder<boolean>;

const ORDER = {
  "=": sql`=`,
  "<": sql`<`,
  "<=": sql`<=`,
  ">": sql`>`,
  ">=": sql`>=`,
} as const;

/** A query as a condition on the rows of a kind: 1 or 0, never null. */
export function searchCondition(kind: SearchKind, query: Query, now: number): Condition {
  switch (query.type) {
    case "all":
      return sql<boolean>`1`;
    case "and":
      return sql<boolean>`(${searchCondition(kind, query.left, now)} and ${searchCondition(kind, query.right, now)})`;
    case "or":
      return sql<boolean>`(${searchCondition(kind, query.left, now)} or ${searchCondition(kind, query.right, now)})`;
    case "not":
      return negated(searchCondition(kind, query.of, now));
    case "compare": {
      const column = searchColumn(kind, query.field);
      if (query.operator === "!=") return negated(compared(column, "=", query.value, now));
      if (query.operator === "!~") return negated(compared(column, "~", query.value, now));
      return compared(column, query.operator, query.value, now);
    }
    case "in": {
      const column = searchColumn(kind, query.field);
      const each = query.values.map((value) => compared(column, "=", value, now));
      const any = sql<boolean>`(${sql.join(each, sql` or `)})`;
      return query.negated ? negated(any) : any;
    }
  }
}

const negated = (condition: Condition): Condition => sql<boolean>`(not ${condition})`;

function compared(
  { value: column, jsonType }: SearchColumn,
  operator: Exclude<Operator, "!=" | "!~">,
  value: QueryValue,
  now: number,
): Condition {
  switch (value.type) {
    case "none":
      return sql<boolean>`(${column} is null)`;
    case "flag":
      return jsonType === undefined
        ? sql<boolean>`coalesce(${column} = ${Number(value.value)}, 0)`
        : sql<boolean>`coalesce(${jsonType} = ${String(value.value)}, 0)`;
    case "number":
      return held(column, jsonType, ["integer", "real"], operator, value.value);
    case "text":
      return operator === "~"
        ? ofType(jsonType, ["text"], sql`instr(lower(${column}), lower(${value.value})) > 0`)
        : held(column, jsonType, ["text"], operator, value.value);
    case "date":
      return sql<boolean>`coalesce(${dated(column, operator, value)}, 0)`;
    case "ago":
      return held(column, undefined, [], operator, now - value.ms);
  }
}

function held(
  column: RawBuilder<unknown>,
  jsonType: RawBuilder<unknown> | undefined,
  types: readonly string[],
  operator: Exclude<Operator, "!=" | "!~">,
  value: number | string,
): Condition {
  if (operator === "~") return sql<boolean>`0`;
  return ofType(jsonType, types, sql`${column} ${ORDER[operator]} ${value}`);
}

/** Values of JSON compare with those of their own type only. */
function ofType(
  jsonType: RawBuilder<unknown> | undefined,
  types: readonly string[],
  condition: RawBuilder<unknown>,
): Condition {
  return jsonType === undefined
    ? sql<boolean>`coalesce(${condition}, 0)`
    : sql<boolean>`coalesce(${jsonType} in (${sql.join(types)}) and ${condition}, 0)`;
}

/** A day is all of its moments: what lies after it is at or after its end. */
function dated(
  column: RawBuilder<unknown>,
  operator: Exclude<Operator, "!=" | "!~">,
  { from, to }: Extract<QueryValue, { type: "date" }>,
): RawBuilder<unknown> {
  switch (operator) {
    case "=":
    case "~":
      return sql`(${column} >= ${from} and ${column} < ${to})`;
    case "<":
      return sql`${column} < ${from}`;
    case "<=":
      return sql`${column} < ${to}`;
    case ">":
      return sql`${column} >= ${to}`;
    case ">=":
      return sql`${column} >= ${from}`;
  }
}
