import { statusOf, TributaryError, type ErrorCode } from "@tributary/core";

/** What the exit code of a command says; scripts may rely on it. */
export const EXIT_CODES = {
  done: 0,
  failed: 1,
  misuse: 2,
  unreachable: 3,
  notAllowed: 4,
  notFound: 5,
  interrupted: 130,
} as const;

/** One line for each, as the help prints them. */
export const EXIT_CODE_LINES: readonly string[] = [
  "0    done",
  "1    failed, or what was checked does not hold",
  "2    wrong use: an option, an argument, an answer that was not yes",
  "3    the coordinator cannot be reached, or is busy: the same may work later",
  "4    not signed in, or not allowed",
  "5    what was named is not there",
  "130  interrupted",
];

/** What says that a word on the command line is not what it has to be, also where the coordinator found it. */
const MISUSE: ReadonlySet<ErrorCode> = new Set([
  "cli/usage",
  "cli/declined",
  "core/invalid-id",
  "coordinator/invalid-config",
  "http/bad-request",
  "http/invalid-cursor",
  "http/unknown-field",
  "onnx/needs-calibration",
  "search/invalid-query",
  "simulator/invalid-options",
  "simulator/invalid-partition",
]);

/** The exit code for an error. */
export function exitCodeOf(error: unknown): number {
  if (!TributaryError.is(error)) return EXIT_CODES.failed;
  if (MISUSE.has(error.code)) return EXIT_CODES.misuse;
  if (error.code === "cli/not-logged-in") return EXIT_CODES.notAllowed;
  if (error.code.startsWith("transport/")) return EXIT_CODES.unreachable;
  const status = statusOf(error);
  if (status === 401 || status === 403) return EXIT_CODES.notAllowed;
  if (status === 404) return EXIT_CODES.notFound;
  if (status === 429 || status === 503) return EXIT_CODES.unreachable;
  return EXIT_CODES.failed;
}
