import type { SearchKind } from "@tributary/protocol";
import fc from "fast-check";
import { SEARCH_FIELDS, type SearchField } from "../../src/search/fields.ts";
import { OPERATORS, type Query, type QueryValue } from "../../src/search/query.ts";

const DAY = Date.UTC(2026, 10, 1);

const VALUES: Readonly<Record<"number" | "text" | "flag" | "date" | "ago", fc.Arbitrary<QueryValue>>> = {
  number: fc
    .oneof(
      fc.integer({ min: -5, max: 40 }),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
      fc.integer({ min: 0, max: 20 }).map((value) => value / 20),
    )
    .map((value) => ({ type: "number", value })),
  text: fc
    .oneof(fc.constantFrom("digits", "GIT", "fedAdam", "fed", "task-1", "true"), fc.string({ maxLength: 8 }))
    .map((value) => ({ type: "text", value })),
  flag: fc.boolean().map((value) => ({ type: "flag", value })),
  date: fc
    .tuple(
      fc.integer({ min: -3, max: 3 }),
      fc.constantFrom(86_400_000, 60_000, 1_000, 1),
      fc.integer({ min: 0, max: 5_000 }),
    )
    .map(([days, length, offset]) => {
      const at = DAY + days * 86_400_000 + offset;
      const from = at - (at % length);
      return { type: "date", from, to: from + length };
    }),
  ago: fc.integer({ min: 0, max: 500_000 }).map((seconds) => ({ type: "ago", ms: seconds * 1_000 })),
};

/** Names that open fields go on with. */
const OPENED: Readonly<Record<string, readonly string[]>> = {
  metric: ["metric.top5", "metric.mae"],
  parameter: ["parameter.learningRate", "parameter.beta1"],
  spec: [
    "spec.local.epochs",
    "spec.strategy.name",
    "spec.cohort.goalCount",
    "spec.gate",
    "spec.adapters.freezeA",
  ],
};

function comparison(field: SearchField): fc.Arbitrary<Query> {
  const name = field.open === true ? fc.constantFrom(...OPENED[field.name]!) : fc.constant(field.name);
  const value =
    field.choices !== undefined
      ? fc.constantFrom(...field.choices).map((text): QueryValue => ({ type: "text", value: text }))
      : field.type === "any"
        ? fc.oneof(VALUES.number, VALUES.text, VALUES.flag)
        : VALUES[field.type];
  const equal = fc.constantFrom("=" as const, "!=" as const);
  const ordered = fc.constantFrom(...OPERATORS.filter((operator) => !operator.includes("~")));
  const compare = fc.tuple(name, value).chain(([fieldName, wanted]) => {
    const operator =
      wanted.type === "text"
        ? fc.constantFrom("=" as const, "!=" as const, "~" as const, "!~" as const)
        : wanted.type === "flag"
          ? equal
          : ordered;
    return operator.map((chosen): Query => ({
      type: "compare",
      field: fieldName,
      operator: chosen,
      value: wanted,
    }));
  });
  const some: fc.Arbitrary<Query>[] = [
    compare,
    fc.tuple(name, equal).map(([fieldName, operator]) => ({
      type: "compare",
      field: fieldName,
      operator,
      value: { type: "none" },
    })),
    fc
      .tuple(
        name,
        fc.boolean(),
        fc.array(fc.oneof(value, fc.constant<QueryValue>({ type: "none" })), { minLength: 1, maxLength: 3 }),
      )
      .map(([fieldName, negated, values]) => ({ type: "in", field: fieldName, negated, values })),
  ];
  if (field.type === "date")
    some.push(
      fc
        .tuple(name, fc.constantFrom("<" as const, "<=" as const, ">" as const, ">=" as const), VALUES.ago)
        .map(([fieldName, operator, wanted]) => ({
          type: "compare",
          field: fieldName,
          operator,
          value: wanted,
        })),
    );
  return fc.oneof(...some);
}

/** Any query of fields that all of these kinds know. */
export function anyQuery(kinds: readonly SearchKind[] = []): fc.Arbitrary<Query> {
  const fields = SEARCH_FIELDS.filter((field) => kinds.every((kind) => field.kinds.includes(kind)));
  const { query } = fc.letrec<{ query: Query }>((tie) => ({
    query: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constantFrom(...fields).chain(comparison),
      fc
        .tuple(fc.constantFrom("and" as const, "or" as const), tie("query"), tie("query"))
        .map(([type, left, right]): Query => ({ type, left, right })),
      tie("query").map((of): Query => ({ type: "not", of })),
    ),
  }));
  return query.filter((each) => valuesOf(each) <= 40 && depthOf(each) <= 20);
}

function valuesOf(query: Query): number {
  if (query.type === "and" || query.type === "or") return valuesOf(query.left) + valuesOf(query.right);
  if (query.type === "not") return valuesOf(query.of);
  return query.type === "in" ? query.values.length : 1;
}

function depthOf(query: Query): number {
  if (query.type === "and" || query.type === "or")
    return 1 + Math.max(depthOf(query.left), depthOf(query.right));
  return query.type === "not" ? 1 + depthOf(query.of) : 1;
}
