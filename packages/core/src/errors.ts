import { ERROR_CATALOG, isErrorCode, type ErrorCode, type ErrorSpec } from "./error-catalog.ts";

/** Values an error carries: flat, so that they survive the wire, a worker and a log line. */
export type ErrorDetail = Readonly<Record<string, string | number | boolean | null>>;

/** What of an error leaves the process. Never the message of the occurrence, its stack or cause. */
export interface WireError {
  /** A code of the catalogue, or one of a newer version. */
  code: string;
  /** The catalogue's public message. */
  message: string;
  detail: ErrorDetail;
  retryable: boolean;
}

export interface FailureOptions {
  readonly detail?: ErrorDetail;
  readonly cause?: unknown;
}

const BRAND: unique symbol = Symbol.for("tributary.error") as never;

/** Limits on what is believed of an error that came from a peer. */
const MAX_DETAIL_ENTRIES = 32;
const MAX_DETAIL_CHARACTERS = 1024;

/**
 * The one error class. Match on `code`, never on text. `instanceof` goes by a brand, so that it holds
 * across two copies of this package; across workers send `toWire()`.
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

  /** HTTP status of the code. */
  get status(): number {
    return ERROR_CATALOG[this.code].status;
  }

  /** Whether trying again later can help. */
  get retryable(): boolean {
    const remote = this.code === "core/unknown-remote-code" ? this.detail["remoteRetryable"] : undefined;
    return typeof remote === "boolean" ? remote : ERROR_CATALOG[this.code].retryable;
  }

  /** The text of the catalogue: safe to show to anyone. */
  get publicMessage(): string {
    return ERROR_CATALOG[this.code].publicMessage;
  }

  /** What to do about it, where the catalogue knows. */
  get advice(): string | undefined {
    return (ERROR_CATALOG[this.code] as ErrorSpec).advice;
  }

  toWire(): WireError {
    return { code: this.code, message: this.publicMessage, detail: this.detail, retryable: this.retryable };
  }

  /** Rebuilds an error a peer sent. A code this version does not know becomes `core/unknown-remote-code`. */
  static fromWire(wire: WireError): TributaryError {
    const code = typeof wire.code === "string" ? wire.code.slice(0, MAX_DETAIL_CHARACTERS) : "";
    const message = typeof wire.message === "string" ? wire.message.slice(0, MAX_DETAIL_CHARACTERS) : "";
    const detail = boundedDetail(wire.detail);
    if (isErrorCode(code))
      return new TributaryError(code, message || ERROR_CATALOG[code].publicMessage, { detail });
    return new TributaryError(
      "core/unknown-remote-code",
      `the peer reported ${JSON.stringify(code)}: ${message}`,
      {
        detail: { ...detail, remoteCode: code, remoteRetryable: wire.retryable === true },
      },
    );
  }
}

function boundedDetail(detail: unknown): ErrorDetail {
  const result: Record<string, string | number | boolean | null> = {};
  if (typeof detail !== "object" || detail === null) return result;
  let entries = 0;
  for (const [key, value] of Object.entries(detail)) {
    if (key.length > 64 || key === "__proto__") continue;
    if (typeof value === "string") result[key] = value.slice(0, MAX_DETAIL_CHARACTERS);
    else if (typeof value === "number" || typeof value === "boolean" || value === null) result[key] = value;
    else continue;
    if (++entries === MAX_DETAIL_ENTRIES) break;
  }
  return result;
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
