import { invalidQuery } from "./invalid-query.ts";
import { OPERATORS, type Operator } from "./query.ts";

/** A piece of a query, and the column it begins at, from 1. */
export type Token = { readonly column: number; readonly text: string } & (
  | { readonly type: "word" }
  | { readonly type: "text"; readonly value: string }
  | { readonly type: "number"; readonly value: number; readonly unit: Unit | "" }
  | { readonly type: "date"; readonly from: number; readonly to: number }
  | { readonly type: "operator"; readonly operator: Operator }
  | { readonly type: "(" | ")" | "," | "end" }
);

export const UNITS_MS = Object.freeze({
  "%": 0,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
});
export type Unit = keyof typeof UNITS_MS;

const SPACE = /[ \t\r\n]+/y;
// Parts of a name may begin with a digit and hold dashes: digits-12, spec.local.learningRate.
const WORD = /[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_][A-Za-z0-9_-]*)*/y;
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const DATE = /(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(?::(\d{2})(?:\.(\d{3}))?)?Z)?(?![\w:.-])/y;
const OPERATOR = new RegExp(OPERATORS.map((operator) => operator.replace(/[~!<>=]/g, "\\$&")).join("|"), "y");
const AFTER_NUMBER = /[\w.-]/;

/**
 * The pieces of a query, with an end at the end.
 *
 * @throws `search/invalid-query` naming the column
 */
export function tokensOf(query: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const taken = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at;
    const match = pattern.exec(query);
    if (match === null) return undefined;
    at += match[0].length;
    return match;
  };
  for (;;) {
    taken(SPACE);
    const column = at + 1;
    const first = query[at];
    if (first === undefined) return [...tokens, { type: "end", column, text: "" }];
    if (first === "(" || first === ")" || first === ",") {
      at += 1;
      tokens.push({ type: first, column, text: first });
      continue;
    }
    if (first === '"') {
      const { value, end } = quoted(query, at);
      tokens.push({ type: "text", column, text: query.slice(at, end), value });
      at = end;
      continue;
    }
    const date = taken(DATE);
    if (date !== undefined) {
      tokens.push({ type: "date", column, text: date[0], ...spanOf(query, column, date) });
      continue;
    }
    const number = taken(NUMBER);
    if (number !== undefined) {
      const unit = query[at];
      const isUnit = unit !== undefined && Object.hasOwn(UNITS_MS, unit);
      if (isUnit) at += 1;
      if (AFTER_NUMBER.test(query[at] ?? ""))
        throw invalidQuery(query, column, `"${word(query, column)}" is no number, date or time`, {
          expected: "a number such as 0.95 or 95%, a date such as 2026-11-01, a time such as 7d ago",
        });
      const value = Number(number[0]);
      if (!Number.isFinite(value)) throw invalidQuery(query, column, `${number[0]} is too large a number`);
      tokens.push({
        type: "number",
        column,
        text: query.slice(column - 1, at),
        value,
        unit: isUnit ? (unit as Unit) : "",
      });
      continue;
    }
    const operator = taken(OPERATOR);
    if (operator !== undefined) {
      tokens.push({ type: "operator", column, text: operator[0], operator: operator[0] as Operator });
      continue;
    }
    const name = taken(WORD);
    if (name === undefined)
      throw invalidQuery(query, column, `${JSON.stringify(first)} means nothing here`, {
        expected: "a field, a value, an operator, a parenthesis or a comma",
      });
    tokens.push({ type: "word", column, text: name[0] });
  }
}

/** A text as it is written in a query. */
export function quote(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}

/** Between quotation marks; a backslash takes the next character as it is. */
function quoted(query: string, start: number): { readonly value: string; readonly end: number } {
  let value = "";
  for (let at = start + 1; at < query.length; at += 1) {
    if (query[at] === '"') return { value, end: at + 1 };
    if (query[at] === "\\") at += 1;
    value += query[at] ?? "";
  }
  throw invalidQuery(query, start + 1, "the text that begins here has no end", { expected: 'a "' });
}

function spanOf(
  query: string,
  column: number,
  [text, day, minute, second, milliseconds]: RegExpExecArray,
): { readonly from: number; readonly to: number } {
  const time = minute === undefined ? "00:00" : minute;
  const written = `${day}T${time}:${second ?? "00"}.${milliseconds ?? "000"}Z`;
  const from = Date.parse(written);
  // 2026-02-30 would be the second of March.
  if (Number.isNaN(from) || new Date(from).toISOString() !== written)
    throw invalidQuery(query, column, `${text} is no day or time there is`);
  const length =
    minute === undefined
      ? 86_400_000
      : second === undefined
        ? 60_000
        : milliseconds === undefined
          ? 1_000
          : 1;
  return { from, to: from + length };
}

function word(query: string, column: number): string {
  return /^[^\s(),]{0,40}/.exec(query.slice(column - 1))![0];
}
