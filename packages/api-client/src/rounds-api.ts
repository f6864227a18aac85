import type { Client } from "openapi-fetch";
import { answered, json, type CallOptions } from "./calling.ts";
import type { paths } from "./generated/api.ts";
import { pageQuery, type PageOptions } from "./pages.ts";
import type { RefusalPage, RoundPage, RoundView } from "./views.ts";

export interface RoundsOptions extends PageOptions {
  /** Only the round of this number. */
  readonly number?: number | undefined;
}

/** Rounds of tasks. */
export interface RoundsApi {
  /** Newest first. */
  rounds(task: string, options?: RoundsOptions): Promise<RoundPage>;
  round(id: string, options?: CallOptions): Promise<RoundView>;
  /** Updates of a round that did not count, newest first. */
  refusals(roundId: string, options?: PageOptions): Promise<RefusalPage>;
}

export function roundsApi(http: Client<paths>): RoundsApi {
  return {
    rounds: (task, { number, ...options } = {}) => {
      const query = { ...pageQuery(options, 100), ...(number === undefined ? {} : { number }) };
      return answered(`GET /v1/tasks/${task}/rounds`, options, () =>
        http.GET("/v1/tasks/{task}/rounds", { params: { path: { task }, query }, ...json(options) }),
      );
    },
    round: (roundId, call) =>
      answered(`GET /v1/rounds/${roundId}`, call, () =>
        http.GET("/v1/rounds/{roundId}", { params: { path: { roundId } }, ...json(call) }),
      ),
    refusals: (roundId, options = {}) =>
      answered(`GET /v1/rounds/${roundId}/refusals`, options, () =>
        http.GET("/v1/rounds/{roundId}/refusals", {
          params: { path: { roundId }, query: pageQuery(options, 100) },
          ...json(options),
        }),
      ),
  };
}
