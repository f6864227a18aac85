import { sha256, encodeUtf8 } from "@tributary/core";
import type { App } from "./app.ts";
import { noneMatchNames } from "./ranges.ts";

/**
 * Tags what is read, and answers 304 to whoever has it already. The tag is of the answer's bytes, so that it is another one as soon as
 * anything in the answer is. What may not be kept has none.
 */
export function registerEntityTags(app: App): void {
  app.addHook("onSend", async (request, reply, payload) => {
    if (request.method !== "GET" || reply.statusCode !== 200 || typeof payload !== "string") return payload;
    if (request.routeOptions.schema?.hide === true || reply.hasHeader("etag")) return payload;
    const control = reply.getHeader("cache-control");
    if (typeof control === "string" && control.includes("no-store")) return payload;
    const tag = entityTag(payload);
    reply.header("etag", tag);
    // Kept by whoever asked, and asked for again each time.
    if (control === undefined) reply.header("cache-control", "private, no-cache");
    if (!noneMatchNames(request.headers["if-none-match"], tag)) return payload;
    reply.code(304).removeHeader("content-type").removeHeader("content-length");
    return null;
  });
}

/** Of an answer's bytes. */
export function entityTag(payload: string): string {
  return `"${sha256(encodeUtf8(payload)).slice(0, 32)}"`;
}
