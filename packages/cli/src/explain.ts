import { adviceOf, publicMessageOf, TributaryError } from "@tributary/core";

/** One line for a person: what went wrong and, where the catalogue knows, what to do. */
export function explain(error: unknown): string {
  if (TributaryError.is(error)) {
    const advice = adviceOf(error);
    return `${error.message}${remoteDetail(error)} (${error.code})${advice === undefined ? "" : ` ${advice}`}`;
  }
  return error instanceof Error ? error.message : String(error);
}

/** A coordinator sends its public message and the details apart; a person needs both. */
function remoteDetail(error: TributaryError): string {
  if (error.message !== publicMessageOf(error)) return "";
  const details = Object.entries(error.detail).map(([key, value]) => `${key} ${String(value)}`);
  return details.length === 0 ? "" : ` ${details.join(", ")}`;
}
