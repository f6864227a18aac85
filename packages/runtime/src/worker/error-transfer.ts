/** Errors across a worker boundary: Comlink alone keeps name and message and drops our code and detail. */
import { TributaryError, failure } from "@tributary/core";
import type { ErrorCode, ErrorDetail } from "@tributary/core";
import { transferHandlers } from "comlink";
import type { TransferHandler } from "comlink";

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
  | { readonly kind: "error"; readonly name: string; readonly message: string; readonly stack: string | undefined }
  | { readonly kind: "value"; readonly value: unknown };

const BUILT_IN = { RangeError, TypeError, SyntaxError, Error } as const;

export function toPlainError(error: unknown): PlainError {
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

export function fromPlainError(plain: PlainError): unknown {
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

/** Replaces Comlink's handler of thrown values; both sides of a boundary call it. Idempotent. */
export function installErrorTransfer(): void {
  const stock = transferHandlers.get("throw")!;
  transferHandlers.set("throw", {
    canHandle: (value: unknown): value is { value: unknown } => stock.canHandle(value),
    serialize: ({ value }) => [toPlainError(value), []],
    deserialize(plain): never {
      throw fromPlainError(plain);
    },
  } satisfies TransferHandler<{ value: unknown }, PlainError>);
}
