import { TributaryError } from "@tributary/core";

/** The code a promise is rejected with; what is not coded is thrown on. */
export async function rejection(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (TributaryError.is(error)) return error.code;
    throw error;
  }
  return "no error";
}
