/** Leaves of a document at most. */
const MAX_LEAVES = 1_000;

/** A document's leaves by their path, as JSON: `local.epochs`, `stop.rules[0].metric`. A list of plain values is one leaf. */
export function flattened(document: unknown): ReadonlyMap<string, string> {
  const leaves = new Map<string, string>();
  const walk = (value: unknown, path: string): void => {
    if (leaves.size >= MAX_LEAVES || value === undefined) return;
    if (isList(value) && value.some(isNested))
      for (const [i, item] of value.entries()) walk(item, `${path}[${i}]`);
    else if (isNested(value) && !isList(value) && Object.keys(value).length > 0)
      for (const [name, inner] of Object.entries(value)) walk(inner, path === "" ? name : `${path}.${name}`);
    else leaves.set(path, JSON.stringify(value));
  };
  walk(document, "");
  return leaves;
}

const isNested = (value: unknown): value is object => typeof value === "object" && value !== null;
const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);

export interface ComparedParameter {
  readonly path: string;
  readonly values: readonly (string | null)[];
  readonly differs: boolean;
}

/**
 * Documents side by side: each path that one of them has, in the order in which they come.
 *
 * @param parts - which of them are only parts: what they do not say does not differ
 */
export function sideBySide(
  documents: readonly unknown[],
  parts: readonly boolean[] = [],
): ComparedParameter[] {
  const leaves = documents.map(flattened);
  const paths = new Set(leaves.flatMap((each) => [...each.keys()]));
  return [...paths].map((path) => {
    const values = leaves.map((each) => each.get(path) ?? null);
    const said = values.filter((value, i) => value !== null || parts[i] !== true);
    return { path, values, differs: said.some((value) => value !== said[0]) };
  });
}
