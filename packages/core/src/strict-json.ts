/** JSON without fractional numbers. Objects keep every key, "__proto__" too, and the order in which they come. */
export type StrictJson =
  | string
  | number
  | boolean
  | null
  | readonly StrictJson[]
  | ReadonlyMap<string, StrictJson>;

/** Why a text is not strict JSON. */
export class StrictJsonError extends Error {
  /** Index of the character, in UTF-16 units. */
  readonly at: number;
  /** The key that came twice, where that is why. */
  readonly duplicateKey: string | undefined;

  constructor(message: string, at: number, duplicateKey?: string) {
    super(message);
    this.at = at;
    this.duplicateKey = duplicateKey;
  }
}

/** In a `u` pattern, paired surrogates are one code point: only lone ones match. */
export const LONE_SURROGATE = /\p{Surrogate}/u;

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;

/**
 * Parses JSON (RFC 8259) that several parties have to read alike: no key twice in an object, because which of two wins is a matter of
 * taste between parsers; integers of magnitude below 2^53 only; no lone surrogates; bounded nesting, and so a bounded stack.
 *
 * @param text - the whole of it
 * @param maxDepth - nesting of objects and arrays
 * @throws StrictJsonError
 */
export function parseStrictJson(text: string, maxDepth: number): StrictJson {
  let at = 0;

  const expected = (what: string, duplicateKey?: string): StrictJsonError =>
    new StrictJsonError(`expected ${what} at character ${at}`, at, duplicateKey);
  /** Empty: there is none. */
  const match = (pattern: RegExp): string => {
    const from = (pattern.lastIndex = at);
    // Unlike what was matched, whether it was costs no object.
    if (pattern.test(text)) at = pattern.lastIndex;
    return text.slice(from, at);
  };
  const take = (character: string): boolean => {
    match(SPACE);
    if (text[at] !== character) return false;
    at++;
    return true;
  };
  /** JSON.parse judges escapes and control characters. */
  const string = (): string | undefined => {
    match(SPACE);
    if (text[at] !== '"') return undefined;
    let end = at + 1;
    while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
    let value: string;
    try {
      value = JSON.parse(text.slice(at, end + 1)) as string;
    } catch {
      throw expected("a string that ends, without bare control characters, and with known escapes");
    }
    if (LONE_SURROGATE.test(value)) throw expected("text without lone surrogates");
    at = end + 1;
    return value;
  };
  const integer = (literal: string): number => {
    const value = Number(literal);
    if (/^-?\d+$/.test(literal) && Number.isSafeInteger(value) && !Object.is(value, -0)) return value;
    at -= literal.length;
    throw expected("an integer of magnitude below 2^53");
  };
  const value = (depth: number): StrictJson => {
    const isObject = take("{");
    if (isObject || take("[")) {
      if (depth >= maxDepth) throw expected(`at most ${maxDepth} levels of nesting`);
      return isObject ? object(depth + 1) : array(depth + 1);
    }
    const number = match(NUMBER);
    if (number !== "") return integer(number);
    const word = match(WORD);
    if (word !== "") return word === "null" ? null : word === "true";
    const characters = string();
    if (characters === undefined) throw expected("a value");
    return characters;
  };
  const object = (depth: number): StrictJson => {
    const entries = new Map<string, StrictJson>();
    if (take("}")) return entries;
    do {
      const key = string();
      if (key === undefined) throw expected("a key in quotes");
      if (entries.has(key)) {
        throw expected(`each key once, but ${JSON.stringify(key.slice(0, 80))} is repeated`, key);
      }
      if (!take(":")) throw expected('":"');
      entries.set(key, value(depth));
    } while (take(","));
    if (!take("}")) throw expected('"," or "}"');
    return entries;
  };
  const array = (depth: number): StrictJson => {
    const items: StrictJson[] = [];
    if (take("]")) return items;
    do items.push(value(depth));
    while (take(","));
    if (!take("]")) throw expected('"," or "]"');
    return items;
  };

  const whole = value(0);
  match(SPACE);
  if (at !== text.length) throw expected("the end of the text");
  return whole;
}
