import { TributaryError } from "@tributary/core";

/** The code a promise failed with; `undefined` when it succeeded. What is not coded is thrown on. */
export async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    if (TributaryError.is(error)) return error.code;
    throw error;
  }
}
