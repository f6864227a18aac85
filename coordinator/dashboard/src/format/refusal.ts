import { adviceOf, TributaryError } from "@tributary/api-client";

/** What a page says where the coordinator refused something: what is wrong, and what to do where there is something to do. */
export function refusalWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const advice = TributaryError.is(error) ? adviceOf(error) : undefined;
  return advice === undefined ? error.message : `${error.message} ${advice}`;
}
