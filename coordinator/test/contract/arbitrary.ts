import fc, { type Arbitrary } from "fast-check";
import type { Contract, Schema } from "./document.ts";

/** How deep optional parts go: recursive schemas have to end. */
const MAX_DEPTH = 6;

/** Changes what a field of an object is drawn from. */
export type Fields = (name: string, schema: Schema, any: Arbitrary<unknown>) => Arbitrary<unknown>;

export interface Within {
  readonly depth: number;
  readonly fields: Fields;
  /** What is optional seldom fits together: nothing but what is required, and no more of anything than that. */
  readonly minimal: boolean;
}

const AS_DRAWN: Within = { depth: 0, fields: (_name, _schema, any) => any, minimal: false };

/** Values that a schema allows. */
export function valueOf(contract: Contract, given: Schema, within: Within = AS_DRAWN): Arbitrary<unknown> {
  const schema = contract.follow(given);
  const deeper: Within = { ...within, depth: within.depth + 1 };
  if ("const" in schema) return fc.constant(schema["const"]);
  if (Array.isArray(schema["enum"])) return fc.constantFrom(...(schema["enum"] as unknown[]));
  const choices = (schema["anyOf"] ?? schema["oneOf"]) as readonly Schema[] | undefined;
  if (choices !== undefined) return fc.oneof(...choices.map((each) => valueOf(contract, each, deeper)));
  const type = Array.isArray(schema["type"]) ? (schema["type"] as string[])[0] : schema["type"];
  switch (type) {
    case "null":
      return fc.constant(null);
    case "boolean":
      return fc.boolean();
    case "integer":
      return fc.integer(bounds(schema, 2 ** 31));
    case "number": {
      const { min, max } = bounds(schema, 1e9);
      return fc.double({
        min,
        max,
        minExcluded: typeof schema["exclusiveMinimum"] === "number",
        maxExcluded: typeof schema["exclusiveMaximum"] === "number",
        noNaN: true,
      });
    }
    case "string":
      return textOf(schema);
    case "array": {
      const { minItems = 0, maxItems = 4 } = schema as { minItems?: number; maxItems?: number };
      const of = (maxLength: number): Arbitrary<unknown[]> =>
        fc.array(valueOf(contract, (schema["items"] ?? {}) as Schema, deeper), {
          minLength: minItems,
          maxLength: Math.min(maxItems, maxLength),
        });
      return within.minimal ? of(minItems || 1) : of(minItems + 3);
    }
    case "object":
      return objectOf(contract, schema, within);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function objectOf(contract: Contract, schema: Schema, within: Within): Arbitrary<unknown> {
  const { depth, fields, minimal } = within;
  const properties = (schema["properties"] ?? {}) as Readonly<Record<string, Schema>>;
  const required = new Set((schema["required"] ?? []) as readonly string[]);
  const shown = Object.entries(properties).filter(
    ([name]) => required.has(name) || (depth < MAX_DEPTH && !minimal),
  );
  const of = (parts: typeof shown): Arbitrary<unknown> =>
    fc.record(
      Object.fromEntries(
        parts.map(([name, each]) => [
          name,
          fields(name, each, valueOf(contract, each, { ...within, depth: depth + 1 })),
        ]),
      ),
      { requiredKeys: [...required], noNullPrototype: true },
    );
  return depth > 0 ? of(shown) : fc.oneof(of(shown), of(shown.filter(([name]) => required.has(name))));
}

function textOf(schema: Schema): Arbitrary<string> {
  const minLength = (schema["minLength"] as number | undefined) ?? 0;
  const maxLength = Math.min((schema["maxLength"] as number | undefined) ?? 40, minLength + 60);
  if (schema["format"] === "date-time")
    return fc
      .date({ min: new Date(0), max: new Date("2100-01-01"), noInvalidDate: true })
      .map((date) => date.toISOString());
  if (typeof schema["pattern"] === "string") {
    const pattern = new RegExp(schema["pattern"]);
    return fc
      .stringMatching(pattern)
      .filter((text) => text.length >= minLength && text.length <= ((schema["maxLength"] as number) ?? 1e6));
  }
  return fc.string({ minLength, maxLength, unit: "binary" });
}

function bounds(schema: Schema, most: number): { readonly min: number; readonly max: number } {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema as Record<
    string,
    number | undefined
  >;
  const integer = schema["type"] === "integer";
  const low = minimum ?? (exclusiveMinimum === undefined ? undefined : exclusiveMinimum + (integer ? 1 : 0));
  const high = maximum ?? (exclusiveMaximum === undefined ? undefined : exclusiveMaximum - (integer ? 1 : 0));
  const max = high ?? Math.max(most, low ?? 0);
  return { min: low ?? -Math.min(most, Math.abs(max) || most), max };
}

/** A value with something wrong in it: another type, a field too many or too few. Not everything that comes out is refused. */
export function brokenValue(contract: Contract, schema: Schema): Arbitrary<unknown> {
  const junk = fc.oneof(
    fc.constantFrom(null, true, -1, 1e308, 2 ** 53, "", "\u0000", "__proto__", [], {}, [[]]),
    fc.string({ maxLength: 300, unit: "binary" }),
    fc.jsonValue({ maxDepth: 3 }),
  );
  const changed = fc
    .tuple(valueOf(contract, schema), fc.nat(), junk, fc.constantFrom("replace", "remove", "add"))
    .map(([value, at, other, change]) => changeAt(value, at, other, change));
  return fc.oneof({ weight: 3, arbitrary: changed }, { weight: 1, arbitrary: junk });
}

function changeAt(value: unknown, at: number, other: unknown, change: string): unknown {
  if (typeof value !== "object" || value === null) return other;
  const copy = structuredClone(value) as Record<string, unknown>;
  const keys = Object.keys(copy);
  if (change === "add" || keys.length === 0)
    return Array.isArray(value) ? [...(value as unknown[]), other] : { ...copy, unheardOf: other };
  const key = keys[at % keys.length]!;
  if (change === "remove") delete copy[key];
  else copy[key] = changeAt(copy[key], Math.floor(at / keys.length), other, change);
  return copy;
}
