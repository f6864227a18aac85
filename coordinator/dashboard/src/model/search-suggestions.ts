import type { SearchField, SearchResult } from "@tributary/api-client";

/** What may stand at the end of what was typed. */
export interface Suggestion {
  readonly text: string;
  readonly note: string;
  /** The whole query with it. */
  readonly query: string;
}

const MOST = 8;
const OPERATORS: Readonly<Record<SearchField["type"], readonly string[]>> = {
  number: [">", ">=", "<", "<=", "=", "in ("],
  text: ["=", "~", "!=", "in ("],
  date: [">", "<"],
  flag: ["="],
  any: ["=", ">", "<", "~"],
};

/** Fields, operators or values that go on with a query, by its end; none where nothing better than typing is known. */
export function suggestionsFor(query: string, fields: readonly SearchField[]): readonly Suggestion[] {
  const before = query.trimEnd();
  const atSpace = query !== before || query === "";
  const [, operand, operator, value] =
    /([A-Za-z][\w.-]*)\s*(=|!=|<=|>=|<|>|~|!~)\s*("?[\w-]*)$/.exec(query) ?? [];
  const field = fieldNamed(operand, fields);
  if (field !== undefined && operator !== undefined) return valuesOf(query, field, value ?? "");
  const lastWord = /[A-Za-z][\w.-]*$/.exec(query)?.[0] ?? "";
  const known = fieldNamed(/([A-Za-z][\w.-]*)\s+$/.exec(query)?.[1], fields);
  if (known !== undefined && atSpace)
    return OPERATORS[known.type].map((text) => ({
      text,
      note: known.description,
      query: `${query}${text} `,
    }));
  if (atSpace && before !== "" && !/(?:\(|\b(?:and|or|not))$/i.test(before))
    return ["and", "or"].map((text) => ({ text, note: "and what else", query: `${before} ${text} ` }));
  // A value without a space after it may go on.
  if (!atSpace && lastWord === "" && !/[(,]$/.test(query)) return [];
  const stem = query.slice(0, query.length - lastWord.length);
  return fields
    .filter(({ name }) => name.toLowerCase().startsWith(lastWord.toLowerCase()) && name !== lastWord)
    .slice(0, MOST)
    .map(({ name, open, description }) => ({
      text: open ? `${name}.` : name,
      note: description,
      query: `${stem}${name}${open ? "." : " "}`,
    }));
}

function valuesOf(query: string, field: SearchField, begun: string): readonly Suggestion[] {
  const stem = query.slice(0, query.length - begun.length);
  const spaced = stem.endsWith(" ") ? stem : `${stem} `;
  const values =
    field.choices ??
    (field.type === "flag" ? ["yes", "no"] : field.type === "date" ? ["1d ago", "7d ago", "30d ago"] : []);
  return values
    .filter((text) => text.startsWith(begun) && text !== begun)
    .slice(0, MOST)
    .map((text) => ({ text, note: field.description, query: `${spaced}${text} ` }));
}

function fieldNamed(name: string | undefined, fields: readonly SearchField[]): SearchField | undefined {
  if (name === undefined) return undefined;
  const [group] = name.split(".");
  return fields.find((field) => (field.open ? field.name === group && name !== group : field.name === name));
}

/** What the compare page calls it; a round is not compared. */
export function comparedName({ kind, model, task, version }: SearchResult): string | undefined {
  if (kind === "round") return undefined;
  return kind === "task" ? (task ?? undefined) : `${model}@${version}`;
}
