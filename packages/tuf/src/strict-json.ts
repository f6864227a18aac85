import { failure, type TributaryError } from "@tributary/core";
import { LONE_SURROGATE } from "./canonical-json.ts";
import { setOwn, type JsonValue } from "./json.ts";

/** Bounds for {@linkcode parseStrictJson}. */
export interface StrictJsonOptions {
  /** Nesting of objects and arrays. */
  readonly maxDepth: number;
  /** What is parsed, for messages. */
  readonly label: string;
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// oxlint-disable-next-line no-control-regex -- JSON forbids them bare in strings
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

/**
 * Parses JSON the way signed metadata needs it: valid UTF-8 without a byte order mark, no repeated object keys (which of two wins
 * is a matter of taste between parsers, and signatures must not be), integers of magnitude below 2^53 only, bounded nesting.
 *
 * @throws TributaryError `tuf/invalid-metadata`, with the position.
 */
export function parseStrictJson(bytes: Uint8Array, options: StrictJsonOptions): JsonValue {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw failure("tuf/invalid-metadata", `tuf: ${options.label} is not UTF-8`, { cause });
  }
  const reader = new JsonReader(text, options);
  return reader.document();
}

class JsonReader {
  readonly #text: string;
  readonly #options: StrictJsonOptions;
  #at = 0;

  constructor(text: string, options: StrictJsonOptions) {
    this.#text = text;
    this.#options = options;
  }

  document(): JsonValue {
    const value = this.#value(0);
    this.#space();
    if (this.#at !== this.#text.length) throw this.#malformed("the end of the file");
    return value;
  }

  #value(depth: number): JsonValue {
    this.#space();
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(this.#deeper(depth));
      case "[":
        return this.#array(this.#deeper(depth));
      case '"':
        return this.#string();
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      case "n":
        return this.#word("null", null);
      default:
        return this.#number();
    }
  }

  #deeper(depth: number): number {
    if (depth >= this.#options.maxDepth) {
      throw this.#malformed(`at most ${this.#options.maxDepth} levels of nesting`);
    }
    return depth + 1;
  }

  #object(depth: number): JsonValue {
    const object: Record<string, JsonValue> = {};
    this.#at++;
    if (this.#take("}")) return object;
    do {
      this.#space();
      if (this.#text[this.#at] !== '"') throw this.#malformed("a key in quotes");
      const key = this.#string();
      if (Object.hasOwn(object, key)) {
        throw this.#malformed(`each key once, but ${JSON.stringify(key)} is repeated`);
      }
      if (!this.#take(":")) throw this.#malformed('":"');
      setOwn(object, key, this.#value(depth));
    } while (this.#take(","));
    if (!this.#take("}")) throw this.#malformed('"," or "}"');
    return object;
  }

  #array(depth: number): JsonValue {
    const array: JsonValue[] = [];
    this.#at++;
    if (this.#take("]")) return array;
    do array.push(this.#value(depth));
    while (this.#take(","));
    if (!this.#take("]")) throw this.#malformed('"," or "]"');
    return array;
  }

  #string(): string {
    let result = "";
    this.#at++;
    for (;;) {
      PLAIN.lastIndex = this.#at;
      const plain = PLAIN.exec(this.#text)?.[0] ?? "";
      result += plain;
      this.#at += plain.length;
      const next = this.#text[this.#at];
      if (next === '"') {
        this.#at++;
        break;
      }
      if (next !== "\\") throw this.#malformed("a string that ends and has no bare control character");
      result += this.#escape();
    }
    if (LONE_SURROGATE.test(result)) throw this.#malformed("text without lone surrogates");
    return result;
  }

  #escape(): string {
    const letter = this.#text[this.#at + 1] ?? "";
    if (letter === "u") {
      const digits = this.#text.slice(this.#at + 2, this.#at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.#malformed("four hexadecimal digits");
      this.#at += 6;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const character = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
    if (character === undefined) throw this.#malformed("a known escape");
    this.#at += 2;
    return character;
  }

  #number(): number {
    NUMBER.lastIndex = this.#at;
    const literal = NUMBER.exec(this.#text)?.[0];
    if (literal === undefined) throw this.#malformed("a value");
    const value = Number(literal);
    if (!/^-?\d+$/.test(literal) || !Number.isSafeInteger(value) || Object.is(value, -0)) {
      throw this.#malformed("an integer of magnitude below 2^53");
    }
    this.#at += literal.length;
    return value;
  }

  #word<T extends JsonValue>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#malformed("a value");
    this.#at += word.length;
    return value;
  }

  #take(character: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #space(): void {
    for (;;) {
      const unit = this.#text.charCodeAt(this.#at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return;
      this.#at++;
    }
  }

  #malformed(expected: string): TributaryError {
    return failure(
      "tuf/invalid-metadata",
      `tuf: ${this.#options.label}: expected ${expected} at character ${this.#at}`,
      { detail: { at: this.#at } },
    );
  }
}
