import { ERROR_CATALOG, type ErrorCode, type ErrorSpec } from "./error-catalog.ts";

interface Coded {
  readonly code: ErrorCode;
}

/** HTTP status of the error's code. */
export function statusOf({ code }: Coded): number {
  return specOf(code).status;
}

/** The text of the catalogue: safe to show to anyone. */
export function publicMessageOf({ code }: Coded): string {
  return specOf(code).publicMessage;
}

/** What to do about it, where the catalogue knows. */
export function adviceOf({ code }: Coded): string | undefined {
  return specOf(code).advice;
}

function specOf(code: ErrorCode): ErrorSpec {
  return ERROR_CATALOG[code];
}
