import type { Query, QueryValue } from "./query.ts";
import { quote } from "./tokens.ts";

/** A query in the one form that all that mean it by the same tree have: it reads back as that tree. */
export function printQuery(query: Query): string {
  switch (query.type) {
    case "all":
      return "";
    case "or":
      return `${printQuery(query.left)} or ${within(query.right, ["or"])}`;
    case "and":
      return `${within(query.left, ["or"])} and ${within(query.right, ["or", "and"])}`;
    case "not":
      return `not ${within(query.of, ["or", "and"])}`;
    case "compare":
      return `${query.field} ${query.operator} ${printValue(query.value)}`;
    case "in":
      return `${query.field} ${query.negated ? "not " : ""}in (${query.values.map(printValue).join(", ")})`;
  }
}

/** In parentheses, where it binds less. */
function within(query: Query, loose: readonly Query["type"][]): string {
  return loose.includes(query.type) ? `(${printQuery(query)})` : printQuery(query);
}

const TIMES = [
  ["w", 604_800_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
] as const;

function printValue(value: QueryValue): string {
  switch (value.type) {
    case "none":
      return "none";
    case "flag":
      return value.value ? "yes" : "no";
    case "number":
      return String(value.value);
    case "text":
      return quote(value.value);
    case "date":
      return printDate(value);
    case "ago": {
      const [unit, length] = TIMES.find(([, each]) => value.ms % each === 0) ?? ["s", 1_000];
      return `${value.ms / length}${unit} ago`;
    }
  }
}

function printDate({ from, to }: Extract<QueryValue, { type: "date" }>): string {
  const text = new Date(from).toISOString();
  const length = to - from;
  if (length === 86_400_000) return text.slice(0, 10);
  if (length === 60_000) return `${text.slice(0, 16)}Z`;
  return length === 1_000 ? `${text.slice(0, 19)}Z` : text;
}
