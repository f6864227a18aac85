import { TributaryError } from "@tributary/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SEARCH_FIELDS, similarFields } from "../../src/search/fields.ts";
import { parseQuery } from "../../src/search/parse-query.ts";
import { printQuery } from "../../src/search/print-query.ts";
import { fieldsOf, QUERY_LIMITS } from "../../src/search/query.ts";
import { anyQuery } from "./any-query.ts";

/** Where a query goes wrong, and what is said of it. */
function faultOf(query: string): {
  readonly column: unknown;
  readonly expected: unknown;
  readonly problem: unknown;
} {
  try {
    parseQuery(query);
  } catch (error) {
    if (!TributaryError.is(error) || error.code !== "search/invalid-query") throw error;
    const { column, expected, problem } = error.detail;
    return { column, expected, problem };
  }
  throw new Error(`"${query}" was read`);
}

describe("a query of the search", () => {
  test.each([
    ["accuracy > 0.95 and strategy = fedAdam", 'accuracy > 0.95 and strategy = "fedAdam"'],
    ["loss <= 0.1 or version in (3, 4)", "loss <= 0.1 or version in (3, 4)"],
    ["accuracy>95%", "accuracy > 0.95"],
    ["NOT (loss < 1 OR loss = none)", "not (loss < 1 or loss = none)"],
    ["loss < 1 or loss > 2 and cohort = 3", "loss < 1 or loss > 2 and cohort = 3"],
    ["(loss < 1 or loss > 2) and cohort = 3", "(loss < 1 or loss > 2) and cohort = 3"],
    ["created >= 2026-11-01 and created < 48h ago", "created >= 2026-11-01 and created < 2d ago"],
    ["created = 2026-11-01T10:30Z", "created = 2026-11-01T10:30Z"],
    ['model !~ "a \\"b\\" \\\\ c"', 'model !~ "a \\"b\\" \\\\ c"'],
    ["private = TRUE", "private = yes"],
    ["spec.local.learningRate >= 5e-2", "spec.local.learningRate >= 0.05"],
    ["phase not in (abandoned, buffered)", 'phase not in ("abandoned", "buffered")'],
    ["  ", ""],
  ])("%s", (written, printed) => {
    expect(printQuery(parseQuery(written))).toBe(printed);
  });

  test.each([
    ["accurcy > 0.9", 1, "accuracy"],
    ["accuracy > ", 12, "a value: a number, a text, a date, yes, no or none"],
    ["accuracy 0.9", 10, "an operator after accuracy: =, !=, <, <=, >, >=, ~, !~, in"],
    ["accuracy > fast", 12, "a number"],
    ["loss < 1 loss > 2", 10, "and, or, or the end of the query"],
    ["(loss < 1", 10, "and, or, or )"],
    ["phase = done", 9, undefined],
    ["created > 7d", 13, "ago, as in 7d ago"],
    ["created = 7d ago", 9, "<, <=, > or >="],
    ["created > 2026-02-30", 11, undefined],
    ["model < digits", 7, "=, !=, ~ or !~"],
    ["loss ~ digits", 6, "=, !=, <, <=, > or >="],
    ["private > yes", 9, "= or !="],
    ['model = "digits', 9, 'a "'],
    ["loss < 12x", 8, undefined],
    ["loss & 1", 6, "a field, a value, an operator, a parenthesis or a comma"],
    ["model in digits", 10, "( and values with commas between them"],
    ["version in (1 2)", 15, ", or )"],
    ["metric > 1", 1, "metric.NAME"],
    ["accuracy.top = 1", 1, undefined],
  ])("%s: the fault is at column %i", (query, column, expected) => {
    const fault = faultOf(query);
    expect(fault.column).toBe(column);
    if (expected !== undefined) expect(fault.expected).toBe(expected);
  });

  test("is bounded in length, in depth and in what it compares with", () => {
    expect(faultOf(`loss = 1${" ".repeat(QUERY_LIMITS.characters)}`).problem).toContain("longer");
    expect(faultOf(`${"(".repeat(100)}loss = 1${")".repeat(100)}`).column).toBe(QUERY_LIMITS.depth + 1);
    expect(faultOf(`${"not ".repeat(100)}loss = 1`).column).toBe(4 * QUERY_LIMITS.depth + 1);
    expect(faultOf(`version in (${"1, ".repeat(QUERY_LIMITS.values)}1)`).problem).toContain("40 values");
  });

  test("is read back from what it is printed as", () => {
    fc.assert(
      fc.property(anyQuery(), (query) => {
        expect(parseQuery(printQuery(query))).toEqual(query);
      }),
      { numRuns: 300 },
    );
  });

  test("is either read or refused with a column within it, whatever is written", () => {
    const pieces = [
      "accuracy",
      "loss",
      "=",
      "<",
      "(",
      ")",
      "in",
      "not",
      "and",
      "or",
      "0.5",
      '"a"',
      "none",
      ",",
      "7d",
      "ago",
    ];
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ maxLength: 60 }),
          fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((words) => words.join(" ")),
        ),
        (text) => {
          let query;
          try {
            query = parseQuery(text);
          } catch (error) {
            if (!TributaryError.is(error)) throw error;
            expect(error.code).toBe("search/invalid-query");
            expect(error.detail["column"]).toBeGreaterThanOrEqual(1);
            expect(error.detail["column"]).toBeLessThanOrEqual(text.length + 1);
            return;
          }
          expect(fieldsOf(parseQuery(printQuery(query)))).toEqual(fieldsOf(query));
        },
      ),
      { numRuns: 500 },
    );
  });
});

test("a field that was mistyped is guessed", () => {
  expect(similarFields("acuracy")).toEqual(["accuracy"]);
  expect(similarFields("train")).toEqual(["trainLoss", "trainAccuracy"]);
  expect(similarFields("zzzzzzzz")).toEqual([]);
  expect(new Set(SEARCH_FIELDS.map(({ name }) => name)).size).toBe(SEARCH_FIELDS.length);
});
