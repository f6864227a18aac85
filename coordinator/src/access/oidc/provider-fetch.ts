import type { CustomFetch } from "openid-client";
import { isSafeUrl } from "./oidc-config.ts";

/** Of an answer: keys, metadata and tokens are far smaller. */
export const MAX_ANSWER_BYTES = 1024 * 1024;

/** What of `fetch` the provider is asked by. */
export const fetchFromProvider: CustomFetch = async (address, options) => {
  // Its metadata name further addresses.
  if (!isSafeUrl(new URL(address))) throw new TypeError("the provider names an address that is not https");
  const response = await fetch(address, { ...options, redirect: "manual" } as RequestInit);
  const { status, statusText, headers } = response;
  const body = await boundedBody(response);
  return new Response(body.length === 0 ? null : body, { status, statusText, headers });
};

async function boundedBody({ body }: Response): Promise<Uint8Array<ArrayBuffer>> {
  if (body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop cancels the rest.
  for await (const chunk of body) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) throw new RangeError(`an answer of more than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
