import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalText, type JsonDocument } from "../src/index.ts";

describe("canonical JSON", () => {
  test("writes numbers and texts as RFC 8785, 3.2.2 shows", () => {
    const value = {
      numbers: [333333333.3333333, 1e30, 4.5, 2e-3, 0.000000000000000000000000001, -0],
      string: '€$\u000F\u000aA\'B"\\\\"/',
      literals: [null, true, false],
    };
    expect(canonicalText(value)).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27,0],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
  });

  test("puts keys in the order of RFC 8785, 3.2.3", () => {
    const value = {
      "\u20ac": "Euro Sign",
      "\r": "Carriage Return",
      "\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One",
      "\ud83d\ude00": "Emoji: Grinning Face",
      "\u0080": "Control",
      "\u00f6": "Latin Small Letter O With Diaeresis",
    };
    const sorted = [
      "Carriage Return",
      "One",
      "Control",
      "Latin Small Letter O With Diaeresis",
      "Euro Sign",
      "Emoji: Grinning Face",
      "Hebrew Letter Dalet With Dagesh",
    ];
    const text = canonicalText(value);
    expect(sorted.toSorted((a, b) => text.indexOf(a) - text.indexOf(b))).toEqual(sorted);
  });

  const json = fc.jsonValue() as fc.Arbitrary<JsonDocument>;

  test("says the same, whatever order the keys came in", () => {
    const shuffled = (value: JsonDocument): JsonDocument => {
      if (value === null || typeof value !== "object") return value;
      if (Array.isArray(value)) return (value as JsonDocument[]).map(shuffled);
      return Object.fromEntries(
        Object.entries(value)
          .toReversed()
          .map(([key, item]) => [key, shuffled(item)]),
      );
    };
    fc.assert(
      fc.property(json, (value) => {
        const text = canonicalText(value);
        expect(canonicalText(shuffled(value))).toBe(text);
        expect(canonicalText(JSON.parse(text) as JsonDocument)).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test.each([[NaN], [Infinity], ["\ud800"], [{ "\udc00": 1 }], [[["a\ud83d"]]]])("%j is refused", (value) => {
    expect(() => canonicalText(value as JsonDocument)).toThrow(RangeError);
  });
});
