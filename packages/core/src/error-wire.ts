import { isErrorCode } from "./error-catalog.ts";
import { publicMessageOf } from "./error-texts.ts";
import { TributaryError, type ErrorDetail } from "./errors.ts";

/** What of an error leaves the process. Never the message of the occurrence, its stack or cause. */
export interface WireError {
  /** A code of the catalogue, or one of a newer version. */
  code: string;
  /** The catalogue's public message. */
  message: string;
  detail: ErrorDetail;
  retryable: boolean;
}

/** Limits on what is believed of an error that came from a peer. */
const MAX_DETAIL_ENTRIES = 32;
const MAX_DETAIL_CHARACTERS = 1024;

/** An error as a peer may see it. */
export function toWire(error: TributaryError): WireError {
  const { code, detail, retryable } = error;
  return { code, message: publicMessageOf(error), detail, retryable };
}

/** Rebuilds an error a peer sent. A code this version does not know becomes `core/unknown-remote-code`. */
export function fromWire(wire: WireError): TributaryError {
  const code = typeof wire.code === "string" ? wire.code.slice(0, MAX_DETAIL_CHARACTERS) : "";
  const message = typeof wire.message === "string" ? wire.message.slice(0, MAX_DETAIL_CHARACTERS) : "";
  const detail = boundedDetail(wire.detail);
  if (isErrorCode(code)) return new TributaryError(code, message || publicMessageOf({ code }), { detail });
  return new TributaryError(
    "core/unknown-remote-code",
    `the peer reported ${JSON.stringify(code)}: ${message}`,
    {
      detail: { ...detail, remoteCode: code, remoteRetryable: wire.retryable === true },
    },
  );
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
