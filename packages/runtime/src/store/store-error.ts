import { failure, type ErrorDetail } from "@tributary/core";

/**
 * What a browser's storage threw, as a coded error; anything else as it came.
 *
 * @param where - which storage, as the message begins
 * @param full - detail of the error where the storage is full
 */
export function storeError(where: string, error: unknown, full: ErrorDetail = {}): unknown {
  if (!(error instanceof DOMException)) return error;
  const what = `store: ${where}: ${error.name}: ${error.message}`;
  if (error.name === "QuotaExceededError") {
    return failure("store/quota-exceeded", `${what}; free some space on the device`, {
      detail: full,
      cause: error,
    });
  }
  if (error.name === "VersionError") {
    return failure("store/newer-schema", `${what}; reload the page to get its newest version`, {
      cause: error,
    });
  }
  return failure("store/unavailable", what, { cause: error });
}
