import { publicMessageOf, TributaryError } from "@tributary/api-client";

/** What went wrong, in words for a person: with what the coordinator says of this case, where it says something. */
export function errorWords(error: unknown): string {
  if (!TributaryError.is(error)) return error instanceof Error ? error.message : String(error);
  const { problem } = error.detail as { readonly problem?: unknown };
  const message = publicMessageOf(error);
  return typeof problem === "string" ? `${message} ${problem}.` : message;
}
