import type { RoundView } from "@tributary/protocol";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { App } from "../http/app.ts";
import type { Bus } from "../ports/bus.ts";
import { observeHttp } from "./http-metrics.ts";
import { createRoundMetrics } from "./round-metrics.ts";
import { registerStateMetrics, type StateSources } from "./state-metrics.ts";

export interface PrometheusOptions extends StateSources {
  readonly bus: Pick<Bus, "subscribe">;
  readonly version: string;
}

/** Metrics for Prometheus, in its text format; their names are documented in `coordinator/observability/README.md`. */
export interface Prometheus {
  /** Times all routes that are added from here on, and adds `GET /metrics`. */
  register(app: App): void;
  /** A device runs a version so long after it was told of it. */
  pushed(appliedAfterMs: number): void;
  close(): void;
}

const PUSH_SECONDS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300];

let ofProcess: Registry | undefined;

/** The process has these once, however many coordinators it opens, and watches its event loop only where somebody asks for them. */
function processMetrics(): Registry {
  if (ofProcess === undefined) {
    ofProcess = new Registry();
    collectDefaultMetrics({ register: ofProcess });
  }
  return ofProcess;
}

export function createPrometheus(options: PrometheusOptions): Prometheus {
  const registry = new Registry();
  const registers = [registry];
  new Gauge({
    name: "tributary_build_info",
    help: "1, with the coordinator's version.",
    labelNames: ["version"],
    registers,
  }).set({ version: options.version }, 1);
  const push = new Histogram({
    name: "tributary_push_seconds",
    help: "From a device's hearing of a version to its running it.",
    buckets: PUSH_SECONDS,
    registers,
  });
  const missingDeltas = new Counter({
    name: "tributary_deltas_missing_total",
    help: "Deltas that versions were released without, as a file of an earlier version could not be read.",
    labelNames: ["model", "code"],
    registers,
  });
  registerStateMetrics(registry, options);
  const rounds = createRoundMetrics(registry);
  const deltas = options.bus.subscribe("delta-missing", ({ model, code }) =>
    missingDeltas.inc({ model, code }),
  );
  const subscription = options.bus.subscribe("event", ({ id, type, data }) => {
    // Those without an id show a round under way.
    if (type === "round" && id !== null) rounds.changed(data as unknown as RoundView);
  });

  return {
    register(app) {
      observeHttp(app, registry);
      app.get(
        "/metrics",
        { schema: { summary: "Metrics for Prometheus", tags: ["operator"], produces: ["text/plain"] } },
        async (_, reply) => {
          const text = await Registry.merge([registry, processMetrics()]).metrics();
          return await reply.header("cache-control", "no-store").type(registry.contentType).send(text);
        },
      );
    },
    pushed(appliedAfterMs) {
      if (appliedAfterMs > 0) push.observe(appliedAfterMs / 1_000);
    },
    close() {
      deltas.close();
      subscription.close();
      registry.clear();
    },
  };
}
