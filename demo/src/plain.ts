import { publicMessageOf, TributaryError } from "@tributary/runtime/errors";

/** An error as one sentence for the person at the page. */
export function plain(error: unknown): string {
  if (TributaryError.is(error)) return publicMessageOf(error);
  const message = error instanceof Error ? error.message : String(error);
  return message.endsWith(".") ? message : `${message}.`;
}
