import { failure } from "@tributary/core";
import { isJsonObject, ownValue, type JsonArray, type JsonObject, type JsonValue } from "./json.ts";

/** Typed reads of JSON that nobody has checked yet. Every failure is `tuf/invalid-metadata` with the path of the field. */
export class JsonFields {
  readonly object: JsonObject;
  readonly path: string;

  constructor(value: JsonValue | undefined, path: string) {
    if (!isJsonObject(value)) throw malformed(path, "an object", value);
    this.object = value;
    this.path = path;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.object, name);
  }

  fields(name: string): JsonFields {
    return new JsonFields(ownValue(this.object, name), this.#at(name));
  }

  /** Every property as an object of its own. */
  *entries(): IterableIterator<[string, JsonFields]> {
    for (const [name, value] of Object.entries(this.object)) {
      yield [name, new JsonFields(value, this.#at(name))];
    }
  }

  text(name: string, rule: { readonly max: number; readonly pattern?: RegExp }): string {
    const value = ownValue(this.object, name);
    if (typeof value !== "string") throw malformed(this.#at(name), "text", value);
    if (value.length > rule.max) throw malformed(this.#at(name), `at most ${rule.max} characters`, value);
    if (rule.pattern !== undefined && !rule.pattern.test(value)) {
      throw malformed(this.#at(name), `text like ${rule.pattern}`, value);
    }
    return value;
  }

  integer(name: string, minimum: number): number {
    const value = ownValue(this.object, name);
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < minimum) {
      throw malformed(this.#at(name), `an integer of at least ${minimum}`, value);
    }
    return value;
  }

  /** Absent is false. */
  flag(name: string): boolean {
    const value = ownValue(this.object, name);
    if (value === undefined) return false;
    if (typeof value !== "boolean") throw malformed(this.#at(name), "true or false", value);
    return value;
  }

  array(name: string, max: number): JsonArray {
    const value = ownValue(this.object, name);
    if (!Array.isArray(value)) throw malformed(this.#at(name), "an array", value);
    if (value.length > max) throw malformed(this.#at(name), `at most ${max} entries`, value);
    return value;
  }

  fail(name: string, expected: string): Error {
    return malformed(this.#at(name), expected, ownValue(this.object, name));
  }

  #at(name: string): string {
    return `${this.path}.${name}`;
  }
}

export function malformed(path: string, expected: string, got: JsonValue | undefined): Error {
  const shown = got === undefined ? "nothing" : JSON.stringify(got).slice(0, 60);
  return failure("tuf/invalid-metadata", `tuf: ${path}: expected ${expected}, got ${shown}`, {
    detail: { path: path.slice(0, 200) },
  });
}
