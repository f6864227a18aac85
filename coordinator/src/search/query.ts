/** What a query of the search asks for, as a tree. Two-valued: a comparison with what has no value does not hold, unless it is `!=` or `!~`. */
export type Query =
  | { readonly type: "all" }
  | { readonly type: "and" | "or"; readonly left: Query; readonly right: Query }
  | { readonly type: "not"; readonly of: Query }
  | {
      readonly type: "compare";
      readonly field: string;
      readonly operator: Operator;
      readonly value: QueryValue;
    }
  | {
      readonly type: "in";
      readonly field: string;
      readonly negated: boolean;
      readonly values: readonly QueryValue[];
    };

/** `~`: holds the text somewhere, whatever the case of its letters. */
export const OPERATORS = ["=", "!=", "<=", ">=", "<", ">", "~", "!~"] as const;
export type Operator = (typeof OPERATORS)[number];

export type QueryValue =
  | { readonly type: "number"; readonly value: number }
  | { readonly type: "text"; readonly value: string }
  | { readonly type: "flag"; readonly value: boolean }
  /** From `from` to before `to`, ms since the epoch: a day, a minute, a second or a millisecond. */
  | { readonly type: "date"; readonly from: number; readonly to: number }
  /** So many ms before now. */
  | { readonly type: "ago"; readonly ms: number }
  /** Nothing is known. */
  | { readonly type: "none" };

/** What a query may cost at most. */
export const QUERY_LIMITS = Object.freeze({
  characters: 1_000,
  /** Values that are compared with, those in lists among them. */
  values: 40,
  depth: 24,
});

/** Every field that a query names. */
export function fieldsOf(query: Query): ReadonlySet<string> {
  switch (query.type) {
    case "all":
      return new Set();
    case "not":
      return fieldsOf(query.of);
    case "and":
    case "or":
      return new Set([...fieldsOf(query.left), ...fieldsOf(query.right)]);
    case "compare":
    case "in":
      return new Set([query.field]);
  }
}
