import { errorFromBody, errorFromThrown, notJson } from "./http-error.ts";

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What openapi-fetch gives for any route. */
interface Result<Data> {
  readonly data?: Data;
  readonly error?: unknown;
  readonly response: Response;
}

/** What a request sends that asks for JSON. */
export function json(call: CallOptions | undefined) {
  return { headers: { Accept: "application/json" }, signal: call?.signal ?? null };
}

/** A body of bytes, as they are. */
export function octets(bytes: Uint8Array, call: CallOptions | undefined) {
  return {
    body: bytes,
    bodySerializer: (body: unknown): BodyInit => body as Uint8Array<ArrayBuffer>,
    headers: { "Content-Type": "application/octet-stream", Accept: "application/json" },
    signal: call?.signal ?? null,
  };
}

/** Sends a request and reads its answer. Rejects as every method of the client does. */
export async function answered<Data>(
  request: string,
  call: CallOptions | undefined,
  send: () => Promise<Result<Data>>,
): Promise<Data> {
  let result: Result<Data>;
  try {
    result = await send();
  } catch (thrown) {
    // An answer that is no JSON, where JSON was promised, is a SyntaxError of the parser.
    if (thrown instanceof SyntaxError) throw notJson(request, thrown);
    throw errorFromThrown(request, thrown, call?.signal);
  }
  const { data, error, response } = result;
  if (response.ok && typeof data === "object" && data !== null) return data;
  throw errorFromBody(request, response, error);
}

/** An answer without a body, as one that has read an empty object. */
export function noContent<Answer extends { readonly response: Response; readonly error?: unknown }>(
  answer: Answer,
): Result<object> {
  const { response, error } = answer;
  return response.ok ? { response, data: {} } : { response, error };
}
