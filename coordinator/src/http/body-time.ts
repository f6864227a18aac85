import { failure } from "@tributary/core";
import type { App } from "./app.ts";

/** Bounds how long a JSON body may take: it is small, and held in memory until it is whole. Bulk bodies have limits of their own. */
export function limitBodyTime(app: App, timeoutMs: number): void {
  app.addHook("preParsing", async (request, reply, payload) => {
    if (!(request.headers["content-type"] ?? "").startsWith("application/json")) return payload;
    const timer = setTimeout(() => {
      if (reply.sent) return;
      // What is left of the body would be taken for the next request.
      reply.raw.once("finish", () => request.raw.destroy());
      void reply
        .header("connection", "close")
        .send(failure("http/timeout", `http: the body was not there after ${timeoutMs} ms`));
    }, timeoutMs);
    const settled = (): void => clearTimeout(timer);
    payload.once("end", settled).once("close", settled).once("error", settled);
    return payload;
  });
}
