import { adviceOf, publicMessageOf, statusOf } from "./error-texts.ts";
import { fromWire } from "./error-wire.ts";
import type { ErrorDetail, TributaryError } from "./errors.ts";

/** Media type of a `Problem`. */
export const PROBLEM_MEDIA_TYPE = "application/problem+json";

/** An error as an HTTP answer says it (RFC 9457). Programs go by `code` and `data`, people by the rest. */
export interface Problem {
  /** Where the code is explained, relative to the server that answers. */
  type: string;
  /** The catalogue's public message. */
  title: string;
  status: number;
  /** The data as a text, where there are any. */
  detail?: string;
  /** This one answer, as the server's log names its request. */
  instance?: string;
  /** A code of the catalogue, or one of a newer version. */
  code: string;
  /** What the code is about: a field, a limit, what was expected. */
  data: ErrorDetail;
  /** What to do about it. */
  advice?: string;
  /** Whether the same request can succeed later. */
  retryable: boolean;
}

/** An error as a caller may see it: never its message, stack or cause; of what went wrong inside, no data either. */
export function toProblem(error: TributaryError, { instance }: { readonly instance?: string } = {}): Problem {
  const { code, retryable } = error;
  const status = statusOf(error);
  // A path, a key's id: for the log, not for whoever asked.
  const data = status === 500 ? {} : error.detail;
  const said = Object.entries(data).map(([key, value]) => `${key}: ${value}`);
  const advice = adviceOf(error);
  return {
    type: problemType(code),
    title: publicMessageOf(error),
    status,
    ...(said.length > 0 && { detail: said.join("; ") }),
    ...(instance !== undefined && { instance }),
    code,
    data,
    ...(advice !== undefined && { advice }),
    retryable,
  };
}

/** Where a server explains a code. */
export function problemType(code: string): string {
  return `/problems/${code}`;
}

/** Rebuilds the error that a server answered with; what is missing or malformed in it is left out. */
export function fromProblem({ code, title, data, retryable }: Partial<Problem>): TributaryError {
  return fromWire({ code, message: title, detail: data, retryable } as Parameters<typeof fromWire>[0]);
}
