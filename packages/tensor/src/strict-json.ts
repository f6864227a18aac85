/** JSON whose objects keep every key: a duplicate is an error instead of a silent overwrite. */
export type StrictJson =
  | string
  | number
  | boolean
  | null
  | readonly StrictJson[]
  | ReadonlyMap<string, StrictJson>;

/** Why a text is not strict JSON. */
export class StrictJsonError extends Error {
  readonly duplicateKey: string | undefined;

  constructor(message: string, duplicateKey?: string) {
    super(message);
    this.duplicateKey = duplicateKey;
  }
}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORD = /true|false|null/y;

/** Parses a whole text; nesting beyond `maxDepth` is refused, so the stack is bounded. */
export function parseStrictJson(text: string, maxDepth: number): StrictJson {
  let at = 0;

  function match(pattern: RegExp): string | undefined {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  }
  /** A string literal, decoded; JSON.parse judges its escapes and control characters. */
  function string(): string | undefined {
    if (text[at] !== '"') return undefined;
    let end = at + 1;
    while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
    if (end >= text.length) throw bad("a closing quote");
    const literal = text.slice(at, end + 1);
    try {
      const value = JSON.parse(literal) as string;
      at = end + 1;
      return value;
    } catch {
      throw bad("a well-formed string");
    }
  }
  function take(character: string): boolean {
    match(SPACE);
    if (text[at] !== character) return false;
    at++;
    return true;
  }
  function bad(expected: string): StrictJsonError {
    return new StrictJsonError(`${expected} expected at character ${at}`);
  }
  function value(depth: number): StrictJson {
    if (depth > maxDepth) throw new StrictJsonError(`nesting deeper than ${maxDepth} at character ${at}`);
    if (take("{")) return object(depth);
    if (take("[")) return array(depth);
    const characters = string();
    if (characters !== undefined) return characters;
    const number = match(NUMBER);
    if (number !== undefined) return Number(number);
    const word = match(WORD);
    if (word !== undefined) return word === "null" ? null : word === "true";
    throw bad("a value");
  }
  function object(depth: number): ReadonlyMap<string, StrictJson> {
    const entries = new Map<string, StrictJson>();
    if (take("}")) return entries;
    do {
      match(SPACE);
      const name = string();
      if (name === undefined) throw bad("a key");
      if (entries.has(name))
        throw new StrictJsonError(`key ${JSON.stringify(name.slice(0, 80))} twice`, name);
      if (!take(":")) throw bad('":"');
      entries.set(name, value(depth + 1));
    } while (take(","));
    if (!take("}")) throw bad('"," or "}"');
    return entries;
  }
  function array(depth: number): readonly StrictJson[] {
    const items: StrictJson[] = [];
    if (take("]")) return items;
    do items.push(value(depth + 1));
    while (take(","));
    if (!take("]")) throw bad('"," or "]"');
    return items;
  }

  const whole = value(1);
  match(SPACE);
  if (at !== text.length) throw bad("the end");
  return whole;
}
