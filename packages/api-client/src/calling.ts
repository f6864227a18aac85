import type { CallOptions } from "./client.ts";

interface Result<Data> {
  readonly data?: Data;
  readonly error?: unknown;
  readonly response: Response;
}

/** How the client sends a request and reads its answer. */
export interface Calling {
  readonly json: (call: CallOptions | undefined) => {
    readonly headers: { readonly Accept: string };
    readonly signal: AbortSignal | null;
  };
  readonly answered: <Data>(
    request: string,
    call: CallOptions | undefined,
    send: () => Promise<Result<Data>>,
  ) => Promise<Data>;
}

/** An answer without a body, as one that has read an empty object. */
export function noContent<Answer extends { readonly response: Response; readonly error?: unknown }>(
  answer: Answer,
): Result<object> {
  const { response, error } = answer;
  return response.ok ? { response, data: {} } : { response, error };
}
