/**
 * What the catalogue says of error codes, apart from the runtime: a page that shows no such texts does not ship them.
 *
 * @example
 * try {
 *   await digits.run(feeds);
 * } catch (error) {
 *   if (TributaryError.is(error)) show(`${publicMessageOf(error)} ${adviceOf(error) ?? ""}`);
 * }
 */
export { adviceOf, publicMessageOf, TributaryError, type ErrorCode, type ErrorDetail } from "@tributary/core";
