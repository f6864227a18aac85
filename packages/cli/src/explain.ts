import { ERROR_CATALOG, TributaryError } from "@tributary/core";

/** One line for a person: what went wrong and, where the catalogue knows, what to do. */
export function explain(error: unknown): string {
  if (TributaryError.is(error)) {
    const spec: { readonly advice?: string } = ERROR_CATALOG[error.code];
    const advice = spec.advice === undefined ? "" : ` ${spec.advice}`;
    return `${error.message} (${error.code})${advice}`;
  }
  return error instanceof Error ? error.message : String(error);
}
