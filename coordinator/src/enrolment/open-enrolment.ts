import { failure, type PopulationName } from "@tributary/core";
import { PopulationNameSchema } from "@tributary/protocol";
import type { IncomingMessage } from "node:http";
import Type from "typebox";
import { createLimiter } from "../http/rate-limits.ts";
import type { App } from "../http/app.ts";
import type { Enrolment } from "../rooms.ts";

/** How long a token that anybody may have is good for. */
export const OPEN_TOKEN_MS = 600_000;
const HOUR_MS = 3_600_000;

export interface OpenEnrolmentOptions {
  /** Whose devices need no backend. */
  readonly populations: readonly PopulationName[];
  /** Tokens an hour: to one address, and in all. */
  readonly perAddress: number;
  readonly inAll: number;
  readonly mintToken: Enrolment["mintOpenToken"];
  readonly addressOf: (request: IncomingMessage) => string;
}

/**
 * `POST /v1/populations/:population/enrolment-token`: a token for whoever asks, in populations that are open. Anybody can be as many
 * devices there as the limits allow, so that a secure round hides nobody from whoever takes the trouble: for trials.
 */
export function registerOpenEnrolment(app: App, options: OpenEnrolmentOptions): void {
  const { populations, mintToken, addressOf } = options;
  const ofAddress = createLimiter(app, {
    max: options.perAddress,
    windowMs: HOUR_MS,
    key: (request) => addressOf(request.raw),
  });
  const ofAll = createLimiter(app, { max: options.inAll, windowMs: HOUR_MS, key: () => "all" });

  app.post(
    "/v1/populations/:population/enrolment-token",
    {
      config: { audience: "device" },
      bodyLimit: 4_096,
      schema: {
        summary: "A token for the device that asks, where the operator opened the population to anybody",
        tags: ["devices"],
        params: Type.Object({ population: PopulationNameSchema }),
        produces: ["text/plain"],
        response: { 200: Type.String() },
      },
    },
    async (request, reply) => {
      const { population } = request.params;
      if (!populations.includes(population)) {
        throw failure("identity/enrolment-closed", `enrolment: population ${population} is not open`, {
          detail: { population },
        });
      }
      await ofAddress.take(request);
      await ofAll.take(request);
      return reply
        .header("cache-control", "no-store")
        .type("text/plain; charset=utf-8")
        .serializer(String)
        .send(await mintToken(population, OPEN_TOKEN_MS));
    },
  );
}
