import { fieldOf, similarFields, type SearchField } from "./fields.ts";
import { invalidQuery } from "./invalid-query.ts";
import { QUERY_LIMITS, type Operator, type Query, type QueryValue } from "./query.ts";
import { tokensOf, UNITS_MS, type Token } from "./tokens.ts";

/**
 * Reads a query:
 *
 *     query      = [ either ]
 *     either     = both { "or" both }
 *     both       = negated { "and" negated }
 *     negated    = "not" negated | "(" either ")" | comparison
 *     comparison = field operator value | field [ "not" ] "in" "(" value { "," value } ")"
 *     operator   = "=" | "!=" | "<" | "<=" | ">" | ">=" | "~" | "!~"
 *     value      = number [ "%" ] | text | word | date | number unit "ago" | "yes" | "no" | "none"
 *
 * An empty one asks for everything.
 *
 * @throws `search/invalid-query` naming the column and what was expected there
 */
export function parseQuery(query: string): Query {
  if (query.length > QUERY_LIMITS.characters)
    throw invalidQuery(
      query,
      QUERY_LIMITS.characters + 1,
      `the query is longer than ${QUERY_LIMITS.characters} characters`,
    );
  return new Parser(query).parse();
}

const WORDS = ["and", "or", "not", "in"] as const;

class Parser {
  readonly #query: string;
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;
  #values = 0;

  constructor(query: string) {
    this.#query = query;
    this.#tokens = tokensOf(query);
  }

  parse(): Query {
    if (this.#next().type === "end") return { type: "all" };
    const found = this.#either();
    if (this.#next().type === "end") return found;
    throw this.#unexpected("and, or, or the end of the query");
  }

  #next(): Token {
    return this.#tokens[this.#at]!;
  }

  #take(): Token {
    const token = this.#next();
    this.#at += 1;
    return token;
  }

  #takeWord(word: (typeof WORDS)[number]): boolean {
    if (this.#next().type !== "word" || this.#next().text.toLowerCase() !== word) return false;
    this.#at += 1;
    return true;
  }

  #either(): Query {
    let left = this.#both();
    while (this.#takeWord("or")) left = { type: "or", left, right: this.#both() };
    return left;
  }

  #both(): Query {
    let left = this.#negated();
    while (this.#takeWord("and")) left = { type: "and", left, right: this.#negated() };
    return left;
  }

  #negated(): Query {
    const { column } = this.#next();
    this.#depth += 1;
    if (this.#depth > QUERY_LIMITS.depth)
      throw invalidQuery(
        this.#query,
        column,
        `more than ${QUERY_LIMITS.depth} parentheses and "not" stand within each other`,
      );
    const found = this.#unit();
    this.#depth -= 1;
    return found;
  }

  #unit(): Query {
    if (this.#takeWord("not")) return { type: "not", of: this.#negated() };
    if (this.#next().type !== "(") return this.#comparison();
    this.#take();
    const found = this.#either();
    if (this.#next().type !== ")") throw this.#unexpected("and, or, or )");
    this.#take();
    return found;
  }

  #comparison(): Query {
    const token = this.#next();
    if (token.type !== "word" || isKeyword(token.text))
      throw this.#unexpected("a field such as accuracy, not, or (");
    this.#take();
    const field = this.#field(token);
    const name = token.text;
    const negated = this.#takeWord("not");
    if (this.#takeWord("in")) return { type: "in", field: name, negated, values: this.#list(field, name) };
    const operator = this.#next();
    if (negated || operator.type !== "operator")
      throw this.#unexpected(negated ? "in" : `an operator after ${name}: =, !=, <, <=, >, >=, ~, !~, in`);
    this.#take();
    this.#requireOperator(field, name, operator);
    const at = this.#next();
    const value = this.#value(field, name);
    if ((value.type === "none" || value.type === "flag") && !isEquality(operator.operator))
      throw invalidQuery(this.#query, operator.column, `"${at.text}" has no order`, { expected: "= or !=" });
    if (isText(operator.operator) && value.type !== "text")
      throw invalidQuery(this.#query, at.column, `${operator.operator} looks for text, got "${at.text}"`, {
        expected: 'a text such as "digits"',
      });
    if (value.type === "ago" && isEquality(operator.operator))
      throw invalidQuery(this.#query, operator.column, "nothing is of exactly that time", {
        expected: "<, <=, > or >=",
      });
    if (field.type === "text" && !isEquality(operator.operator) && !isText(operator.operator))
      throw invalidQuery(this.#query, operator.column, `${name} is text and has no order`, {
        expected: "=, !=, ~ or !~",
      });
    return { type: "compare", field: name, operator: operator.operator, value };
  }

  #field({ text, column }: Token): SearchField {
    const field = fieldOf(text);
    if (field !== undefined) return field;
    const similar = similarFields(text.split(".")[0]!);
    throw invalidQuery(
      this.#query,
      column,
      `there is no field "${text}"`,
      similar.length === 0
        ? { expected: "one of those that GET /v1/search/fields lists" }
        : { expected: similar.join(" or ") },
    );
  }

  #requireOperator(
    field: SearchField,
    name: string,
    { column, operator }: Token & { operator: Operator },
  ): void {
    const allowed = field.type === "any" || field.type === "text" || !isText(operator);
    if (allowed && (field.type !== "flag" || isEquality(operator))) return;
    throw invalidQuery(
      this.#query,
      column,
      `${operator} is not for ${name}, which is ${TYPE_WORDS[field.type]}`,
      {
        expected: field.type === "flag" ? "= or !=" : "=, !=, <, <=, > or >=",
      },
    );
  }

  #list(field: SearchField, name: string): QueryValue[] {
    if (this.#next().type !== "(") throw this.#unexpected("( and values with commas between them");
    this.#take();
    const values: QueryValue[] = [];
    for (;;) {
      const { column, text } = this.#next();
      const value = this.#value(field, name);
      if (value.type === "ago")
        throw invalidQuery(this.#query, column, `"${text}" is a moment; nothing is of exactly that time`);
      values.push(value);
      if (this.#next().type === ",") this.#take();
      else if (this.#next().type === ")") break;
      else throw this.#unexpected(", or )");
    }
    this.#take();
    return values;
  }

  #value(field: SearchField, name: string): QueryValue {
    const token = this.#next();
    this.#values += 1;
    if (this.#values > QUERY_LIMITS.values)
      throw invalidQuery(
        this.#query,
        token.column,
        `more than ${QUERY_LIMITS.values} values are compared with`,
      );
    const value = this.#literal();
    if (value.type === "none") return value;
    const wanted = VALUES_OF[field.type];
    if (!wanted.includes(value.type))
      throw invalidQuery(this.#query, token.column, `"${token.text}" is no value of ${name}`, {
        expected: TYPE_WORDS[field.type],
      });
    if (value.type === "text" && field.choices !== undefined && !field.choices.includes(value.value))
      throw invalidQuery(this.#query, token.column, `${name} is never "${value.value}"`, {
        expected: `one of ${field.choices.join(", ")}`,
      });
    return value;
  }

  #literal(): QueryValue {
    const token = this.#next();
    if (token.type === "word" && !isKeyword(token.text)) {
      this.#take();
      const word = token.text.toLowerCase();
      if (word === "none") return { type: "none" };
      if (word === "yes" || word === "true") return { type: "flag", value: true };
      if (word === "no" || word === "false") return { type: "flag", value: false };
      return { type: "text", value: token.text };
    }
    if (token.type === "text") {
      this.#take();
      return { type: "text", value: token.value };
    }
    if (token.type === "date") {
      this.#take();
      return { type: "date", from: token.from, to: token.to };
    }
    if (token.type === "number") {
      this.#take();
      if (token.unit === "") return { type: "number", value: token.value + 0 };
      if (token.unit === "%") return { type: "number", value: token.value / 100 };
      if (this.#next().type !== "word" || this.#next().text.toLowerCase() !== "ago")
        throw this.#unexpected(`ago, as in ${token.text} ago`);
      this.#take();
      if (token.value < 0)
        throw invalidQuery(this.#query, token.column, `${token.text} ago lies in the future`);
      return { type: "ago", ms: Math.round(token.value * UNITS_MS[token.unit]) };
    }
    throw this.#unexpected("a value: a number, a text, a date, yes, no or none");
  }

  #unexpected(expected: string): Error {
    const { type, text, column } = this.#next();
    return invalidQuery(
      this.#query,
      column,
      type === "end" ? "the query ends here" : `"${text}" is not expected`,
      {
        expected,
      },
    );
  }
}

const TYPE_WORDS: Readonly<Record<SearchField["type"], string>> = {
  number: "a number",
  text: "text",
  date: "a date such as 2026-11-01, or a time such as 7d ago",
  flag: "yes or no",
  any: "a number, a text, yes or no",
};

const VALUES_OF: Readonly<Record<SearchField["type"], readonly QueryValue["type"][]>> = {
  number: ["number"],
  text: ["text"],
  date: ["date", "ago"],
  flag: ["flag"],
  any: ["number", "text", "flag"],
};

const isKeyword = (text: string): boolean => (WORDS as readonly string[]).includes(text.toLowerCase());
const isEquality = (operator: Operator): boolean => operator === "=" || operator === "!=";
const isText = (operator: Operator): boolean => operator === "~" || operator === "!~";
