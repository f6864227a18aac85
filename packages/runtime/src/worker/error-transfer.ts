/**
 * Errors across a worker boundary. Comlink keeps name and message and drops our code and detail, so they cross as
 * results: replacing its global "throw" handler would change what an app that uses Comlink itself gets.
 */
import { TributaryError, failure } from "@tributary/core";
import type { ErrorCode, ErrorDetail } from "@tributary/core";

/** An error as plain data. Both sides are ours, so unlike on the wire the full message and the stack come along. */
export type PlainError =
  | {
      readonly kind: "tributary";
      readonly code: ErrorCode;
      readonly message: string;
      readonly detail: ErrorDetail;
      readonly stack: string | undefined;
    }
  | { readonly kind: "dom"; readonly name: string; readonly message: string }
  | {
      readonly kind: "error";
      readonly name: string;
      readonly message: string;
      readonly stack: string | undefined;
    }
  | { readonly kind: "value"; readonly value: unknown };

const BUILT_IN = { RangeError, TypeError, SyntaxError, Error } as const;

function toPlainError(error: unknown): PlainError {
  if (TributaryError.is(error)) {
    const { code, message, detail, stack } = error;
    return { kind: "tributary", code, message, detail: { ...detail }, stack };
  }
  if (error instanceof DOMException) return { kind: "dom", name: error.name, message: error.message };
  if (error instanceof Error) {
    return { kind: "error", name: error.name, message: error.message, stack: error.stack };
  }
  return { kind: "value", value: error };
}

function fromPlainError(plain: PlainError): unknown {
  switch (plain.kind) {
    case "tributary":
      return withStack(failure(plain.code, plain.message, { detail: plain.detail }), plain.stack);
    case "dom":
      return new DOMException(plain.message, plain.name);
    case "error": {
      const constructor = BUILT_IN[plain.name as keyof typeof BUILT_IN] ?? Error;
      return withStack(Object.assign(new constructor(plain.message), { name: plain.name }), plain.stack);
    }
    case "value":
      return plain.value;
    default: {
      const never: never = plain;
      return never;
    }
  }
}

function withStack(error: Error, stack: string | undefined): Error {
  if (stack !== undefined) error.stack = stack;
  return error;
}

/** How a call ended, as plain data. */
export type Settled<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: PlainError };

/** Runs `work` and never rejects. */
export async function settle<T>(work: () => Promise<T> | T): Promise<Settled<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    return { ok: false, error: toPlainError(error) };
  }
}

/** The value, or the error thrown on the other side. */
export function unsettle<T>(settled: Settled<T>): T {
  if (settled.ok) return settled.value;
  throw thrown(settled);
}

/** What was thrown on the other side. */
export function thrown({ error }: Extract<Settled<unknown>, { ok: false }>): unknown {
  return fromPlainError(error);
}
