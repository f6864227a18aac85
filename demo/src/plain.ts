import { TributaryError } from "@tributary/core";

/** An error as one sentence for the person at the page. */
export function plain(error: unknown): string {
  if (TributaryError.is(error)) return error.publicMessage;
  const message = error instanceof Error ? error.message : String(error);
  return message.endsWith(".") ? message : `${message}.`;
}
