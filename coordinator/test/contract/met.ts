import type { Contract, Operation, Schema } from "./document.ts";

/** So many values of one name or place are kept, the newest: what was removed is met less and less. */
const KEPT = 6;

/**
 * Values that a run has met: those it began with and those that answers held, so that its requests are about what is there. By name
 * (`task`, wherever a parameter or a field is called so), and by place (`/v1/alert-rules/{rule}`), for one name can mean different things.
 */
export class Met {
  readonly #contract: Contract;
  readonly #byName = new Map<string, unknown[]>();
  readonly #byPlace = new Map<string, unknown[]>();
  /** What parameters are called: fields of these names are of use elsewhere. */
  readonly #names: ReadonlySet<string>;
  readonly #places: ReadonlySet<string>;

  readonly #begun: ReadonlyMap<string, readonly unknown[]>;

  constructor(contract: Contract, begun: ReadonlyMap<string, readonly unknown[]>) {
    this.#contract = contract;
    this.#begun = begun;
    const parameters = contract.operations.flatMap(({ parameters }) => parameters);
    this.#names = new Set(parameters.filter((each) => each.in !== "header").map(({ name }) => name));
    this.#places = new Set(contract.operations.flatMap(placesOf));
  }

  /** Values that fit a schema; those of the place before those of the name. */
  values(name: string, schema: Schema, place?: string): unknown[] {
    const of = this.#byPlace.get(place ?? "") ?? [];
    const called = this.knows(name) ? name : lastWord(name);
    const begun = this.#begun.get(called) ?? [];
    return [...of, ...begun, ...(this.#byName.get(called) ?? [])].filter((value) =>
      this.#contract.fits(schema, value),
    );
  }

  /** Whether anything can be met by this name. */
  knows(name: string): boolean {
    return this.#begun.has(name) || this.#byName.has(name);
  }

  /** Takes from an answer what later requests can be about. */
  learn(operation: Operation, path: string, answer: unknown): void {
    const { method, path: template } = operation;
    const [last] = path.split("?", 1)[0]!.split("/").slice(-1);
    if (method === "PUT" && template.endsWith("}")) add(this.#byPlace, template, decodeURIComponent(last!));
    for (const place of this.#places) {
      if (!place.startsWith(`${template}/{`)) continue;
      const key = place.slice(template.length + 2, -1);
      for (const item of itemsOf(answer, method !== "GET")) {
        const value = [key, `${key}Id`, "id", "name"]
          .map((each) => item[each] ?? null)
          .find((each) => each !== null);
        if (value !== undefined) add(this.#byPlace, place, value);
      }
    }
    this.#learnNames(answer, 0);
  }

  #learnNames(node: unknown, depth: number): void {
    if (typeof node !== "object" || node === null || depth > 4) return;
    for (const [name, value] of Object.entries(node)) {
      if (typeof value === "object") this.#learnNames(value, depth + 1);
      // A number is one of many things.
      else if (this.#names.has(name) && typeof value === "string") add(this.#byName, name, value);
    }
  }
}

/** The parameters of an operation's path, each with the path before it: `/v1/tasks/{task}`. */
export function placesOf({ path }: Pick<Operation, "path">): string[] {
  return [...path.matchAll(/\{\w+\}/g)].map(({ index, 0: text }) => path.slice(0, index + text.length));
}

/** Of a list its items, of what was made the object itself and what it holds. */
function itemsOf(answer: unknown, isMade: boolean): readonly Readonly<Record<string, unknown>>[] {
  if (typeof answer !== "object" || answer === null) return [];
  const held = Object.values(answer).flatMap((value) =>
    Array.isArray(value) || isMade ? [value].flat() : [],
  );
  return [...(isMade ? [answer] : []), ...held].filter(
    (each): each is Record<string, unknown> => typeof each === "object" && each !== null,
  );
}

function add(into: Map<string, unknown[]>, key: string, value: unknown): void {
  const others = (into.get(key) ?? []).filter((each) => each !== value);
  into.set(key, [...others, value].slice(-KEPT));
}

/** `telemetryTask` is a task. */
export function lastWord(name: string): string {
  return /[A-Z][a-z]*$/.exec(name)?.[0].toLowerCase() ?? name;
}
