import { Histogram, type Registry } from "prom-client";
import type { App } from "../http/app.ts";

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Times every answer by its route, as it is written down: paths of single blobs and devices would be without number. */
export function observeHttp(app: App, registry: Registry): void {
  const seconds = new Histogram({
    name: "tributary_http_request_duration_seconds",
    help: "From the head of a request to the end of its answer.",
    labelNames: ["method", "route", "status"],
    buckets: SECONDS,
    registers: [registry],
  });
  app.addHook("onResponse", async (request, reply) => {
    const { method, routeOptions, is404 } = request;
    const route = is404 ? "none" : (routeOptions.url ?? "none");
    seconds.observe({ method, route, status: reply.statusCode }, reply.elapsedTime / 1_000);
  });
}
