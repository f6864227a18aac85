import { statusOf, TributaryError } from "@tributary/core";

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

/** The exit code for an error. */
export function exitCodeOf(error: unknown): number {
  if (!TributaryError.is(error)) return EXIT_CODES.failed;
  switch (error.code) {
    case "cli/usage":
    case "cli/declined":
      return EXIT_CODES.misuse;
    case "cli/not-logged-in":
      return EXIT_CODES.notAllowed;
    default:
  }
  if (error.code.startsWith("transport/")) return EXIT_CODES.unreachable;
  const status = statusOf(error);
  if (status === 401 || status === 403) return EXIT_CODES.notAllowed;
  if (status === 404) return EXIT_CODES.notFound;
  if (status === 429 || status === 503) return EXIT_CODES.unreachable;
  return EXIT_CODES.failed;
}
