import { adviceOf, publicMessageOf, TributaryError } from "@tributary/api-client";

/** What went wrong, in words for a person: with what the coordinator says of this case, or else what to do where there is something to do. */
export function errorWords(error: unknown): string {
  if (!TributaryError.is(error)) return error instanceof Error ? error.message : String(error);
  const { problem } = error.detail as { readonly problem?: unknown };
  const more = typeof problem === "string" ? `${problem}.` : adviceOf(error);
  return [publicMessageOf(error), more].filter(Boolean).join(" ");
}
