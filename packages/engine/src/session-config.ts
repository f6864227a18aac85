/** Configuration entries of onnxruntime by their full names, such as `session.disable_quant_qdq`. */
export type SessionConfig = Readonly<Record<string, string>>;

interface Nested {
  [part: string]: string | Nested;
}

/** As onnxruntime's JavaScript takes entries: nested by the parts of their names. */
export function nestedConfig(...configs: readonly SessionConfig[]): Record<string, unknown> {
  const root: Nested = {};
  for (const [key, value] of configs.flatMap((config) => Object.entries(config))) {
    const parts = key.split(".");
    const last = parts.pop()!;
    let level = root;
    for (const part of parts) {
      const inner = level[part];
      level = typeof inner === "object" ? inner : ((level[part] = {}) as Nested);
    }
    level[last] = value;
  }
  return root;
}
