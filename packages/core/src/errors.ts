import type { ErrorCode } from "./error-catalog.ts";
import { RETRYABLE_CODES } from "./retryable-codes.ts";

/** Values an error carries: flat, so that they survive the wire, a worker and a log line. */
export type ErrorDetail = Readonly<Record<string, string | number | boolean | null>>;

export interface FailureOptions {
  readonly detail?: ErrorDetail;
  readonly cause?: unknown;
}

const BRAND: unique symbol = Symbol.for("tributary.error") as never;

/**
 * The one error class. Match on `code`, never on text. `instanceof` goes by a brand, so that it holds
 * across two copies of this package. What the catalogue says of a code (`statusOf`, `publicMessageOf`, `adviceOf`) is not part of
 * it, so that a page that only runs models does not ship those texts.
 */
export class TributaryError extends Error {
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, message: string, options: FailureOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "TributaryError";
    this.code = code;
    this.detail = Object.freeze({ ...options.detail });
  }

  get [BRAND](): true {
    return true;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return TributaryError.is(value);
  }

  static is(value: unknown): value is TributaryError {
    return typeof value === "object" && value !== null && (value as { [BRAND]?: unknown })[BRAND] === true;
  }

  /** Whether trying again later can help. */
  get retryable(): boolean {
    const remote = this.code === "core/unknown-remote-code" ? this.detail["remoteRetryable"] : undefined;
    return typeof remote === "boolean" ? remote : RETRYABLE_CODES.has(this.code);
  }
}

/** Makes the error to throw: `throw failure("codec/truncated", "hello.nonce: 32 bytes expected, 7 left")`. */
export function failure(code: ErrorCode, message: string, options?: FailureOptions): TributaryError {
  return new TributaryError(code, message, options);
}

/** Any thrown value as a coded error; what is not ours becomes the given code, with the value as cause. */
export function toFailure(error: unknown, code: ErrorCode = "core/internal"): TributaryError {
  if (TributaryError.is(error)) return error;
  return new TributaryError(code, error instanceof Error ? error.message : String(error), { cause: error });
}
