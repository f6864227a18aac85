import type { ErrorCode } from "../error-catalog.ts";
import { TributaryError } from "../errors.ts";

/** The code a call failed with. What is not coded is thrown on. */
export function codeOf(run: () => unknown): ErrorCode | "no error" {
  try {
    run();
  } catch (error) {
    if (TributaryError.is(error)) return error.code;
    throw error;
  }
  return "no error";
}
