import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson, parseStrictJson, type JsonValue } from "../src/index.ts";

const text = (value: JsonValue) => new TextDecoder().decode(canonicalJson(value));
const parse = (json: string) =>
  parseStrictJson(new TextEncoder().encode(json), { maxDepth: 32, label: "test" });

/** JSON as metadata may hold it: integers only, well-formed text. */
const metadataJson = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger().map((number) => (number === 0 ? 0 : number)),
    fc.string({ unit: "binary" }),
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(fc.string({ unit: "binary", maxLength: 4 }), tie("value"), { maxKeys: 5 }),
  ),
})).value;

/** The reference rule, written another way: Python sorts by code point. */
function reference(value: JsonValue): string {
  if (typeof value === "string") return `"${value.replaceAll(/["\\]/g, "\\$&")}"`;
  if (Array.isArray(value)) return `[${value.map((item: JsonValue) => reference(item)).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const points = (key: string) => Array.from(key, (character) => character.codePointAt(0)!);
    const entries = Object.entries(value).sort(([a], [b]) => {
      const [x, y] = [points(a), points(b)];
      const at = x.findIndex((point, index) => point !== y[index]);
      return at === -1 ? x.length - y.length : at >= y.length ? 1 : x[at]! - y[at]!;
    });
    return `{${entries.map(([key, item]) => `${reference(key)}:${reference(item)}`).join(",")}}`;
  }
  return String(value);
}

describe("canonical JSON", () => {
  test("known forms", () => {
    expect(text({ b: [1, -2, 0], a: { z: null, y: true } })).toBe('{"a":{"y":true,"z":null},"b":[1,-2,0]}');
    expect(text('quote " backslash \\ newline \n tab \t nul \0')).toBe(
      '"quote \\" backslash \\\\ newline \n tab \t nul \0"',
    );
    expect(text({})).toBe("{}");
    expect(text([])).toBe("[]");
    expect(text(-0)).toBe("0");
  });

  test("keys sort by code point, beyond the BMP too", () => {
    // U+FF61 sorts before U+1D306, though its UTF-16 unit is greater than the surrogate.
    expect(text({ "\u{1D306}": 2, "\uFF61": 1 })).toBe('{"\uFF61":1,"\u{1D306}":2}');
  });

  test.each([
    ["a fraction", 1.5],
    ["an unsafe integer", 2 ** 53],
    ["infinity", Infinity],
    ["a lone surrogate", "\uD800"],
    ["undefined", undefined],
    ["a bigint", 1n],
  ])("%s is tuf/not-canonical", (_name, value) => {
    expect(() => canonicalJson(value as JsonValue)).toThrow(
      expect.objectContaining({ code: "tuf/not-canonical" }),
    );
  });

  test("property: equals the reference rule and survives a round trip through ordinary JSON", () => {
    fc.assert(
      fc.property(metadataJson, (value) => {
        expect(text(value)).toBe(reference(value));
        const again = parse(JSON.stringify(value));
        expect(again).toEqual(value);
        expect(text(again)).toBe(text(value));
      }),
    );
  });

  test("property: different values have different bytes", () => {
    fc.assert(
      fc.property(metadataJson, metadataJson, (a, b) => {
        const same = JSON.stringify(parse(JSON.stringify(a))) === JSON.stringify(parse(JSON.stringify(b)));
        if (!same && text(a) === text(b)) {
          // Only the order of keys may differ.
          expect(a).toEqual(b);
        }
      }),
    );
  });
});

describe("strict JSON", () => {
  test("reads what JSON allows", () => {
    expect(parse(' {"a" : [ 1 , -20, true,false , null,"\\u00e9\\n\\ud834\\udd1e/\\/" ] }\r\n')).toEqual({
      a: [1, -20, true, false, null, "é\n𝄞//"],
    });
    const hostile = parse('{"__proto__":{"x":1},"constructor":2}') as Record<string, unknown>;
    expect(Object.keys(hostile)).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(hostile)).toBe(Object.prototype);
  });

  test.each([
    ["nothing", ""],
    ["trailing text", "{} {}"],
    ["a repeated key", '{"a":1,"a":1}'],
    ["a repeated key by escape", '{"a":1,"\\u0061":1}'],
    ["a fraction", "1.0"],
    ["an exponent", "1e3"],
    ["a leading zero", "01"],
    ["a minus alone", "-"],
    ["minus zero", "-0"],
    ["an unsafe integer", "9007199254740992"],
    ["a trailing comma", "[1,]"],
    ["a missing comma", "[1 2]"],
    ["a missing colon", '{"a" 1}'],
    ["an unquoted key", "{a:1}"],
    ["a bare control character", '"a\nb"'],
    ["an unknown escape", '"\\x41"'],
    ["a short escape", '"\\u12"'],
    ["a lone surrogate", '"\\ud800"'],
    ["an open string", '"abc'],
    ["an open array", "[1"],
    ["an open object", '{"a":1'],
    ["a wrong word", "nul"],
    ["a byte order mark", "\uFEFF{}"],
    ["deep nesting", "[".repeat(33) + "]".repeat(33)],
    ["hopeless nesting", "[".repeat(1_000_000)],
  ])("refuses %s", (_name, json) => {
    expect(() => parse(json)).toThrow(expect.objectContaining({ code: "tuf/invalid-metadata" }));
  });

  test("refuses bytes that are not UTF-8", () => {
    expect(() => parseStrictJson(Uint8Array.of(0x22, 0xff, 0x22), { maxDepth: 1, label: "x" })).toThrow(
      expect.objectContaining({ code: "tuf/invalid-metadata" }),
    );
  });

  test("property: every truncation is a coded error, never another value", () => {
    fc.assert(
      fc.property(fc.array(metadataJson, { minLength: 1, maxLength: 3 }), fc.nat(), (value, cut) => {
        const json = JSON.stringify(value);
        expect(() => parse(json.slice(0, cut % json.length))).toThrow(
          expect.objectContaining({ code: "tuf/invalid-metadata" }),
        );
      }),
    );
  });

  test("property: agrees with JSON.parse on every text it accepts", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...Array.from('{}[]":,\\u00e9ntrfalse-1. \n')) }),
        (json) => {
          let value: JsonValue;
          try {
            value = parse(json);
          } catch {
            return;
          }
          expect(value).toEqual(JSON.parse(json));
        },
      ),
    );
  });
});
