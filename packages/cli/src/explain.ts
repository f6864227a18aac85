import { ERROR_CATALOG, TributaryError, type ErrorSpec } from "@tributary/core";

/** One line for a person: what went wrong and, where the catalogue knows, what to do. */
export function explain(error: unknown): string {
  if (TributaryError.is(error)) {
    const spec: ErrorSpec = ERROR_CATALOG[error.code];
    const advice = spec.advice === undefined ? "" : ` ${spec.advice}`;
    return `${error.message}${remoteDetail(error)} (${error.code})${advice}`;
  }
  return error instanceof Error ? error.message : String(error);
}

/** A coordinator sends its public message and the details apart; a person needs both. */
function remoteDetail(error: TributaryError): string {
  if (error.message !== error.publicMessage) return "";
  const details = Object.entries(error.detail).map(([key, value]) => `${key} ${String(value)}`);
  return details.length === 0 ? "" : ` ${details.join(", ")}`;
}
