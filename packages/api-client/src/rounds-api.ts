import type { Client } from "openapi-fetch";
import { answered, json, type CallOptions } from "./calling.ts";
import type { paths } from "./generated/api.ts";
import type { RefusalView, RoundView } from "./views.ts";

export interface RoundsOptions extends CallOptions {
  /** At most this many, 1 to 500. @defaultValue 100 */
  readonly limit?: number | undefined;
  /** Only rounds with a lower number: the next page begins at the last number of this one. */
  readonly before?: number | undefined;
}

/** Rounds of tasks. */
export interface RoundsApi {
  /** Newest first. */
  rounds(task: string, options?: RoundsOptions): Promise<readonly RoundView[]>;
  round(id: string, options?: CallOptions): Promise<RoundView>;
  /** Updates of a round that did not count, newest first. */
  refusals(roundId: string, options?: CallOptions): Promise<readonly RefusalView[]>;
}

export function roundsApi(http: Client<paths>): RoundsApi {
  return {
    rounds: async (task, { limit = 100, before, ...call } = {}) => {
      const query = { limit, ...(before === undefined ? {} : { before }) };
      const list = await answered(`GET /v1/tasks/${task}/rounds`, call, () =>
        http.GET("/v1/tasks/{task}/rounds", { params: { path: { task }, query }, ...json(call) }),
      );
      return list.rounds;
    },
    round: (roundId, call) =>
      answered(`GET /v1/rounds/${roundId}`, call, () =>
        http.GET("/v1/rounds/{roundId}", { params: { path: { roundId } }, ...json(call) }),
      ),
    refusals: async (roundId, call) =>
      (
        await answered(`GET /v1/rounds/${roundId}/refusals`, call, () =>
          http.GET("/v1/rounds/{roundId}/refusals", { params: { path: { roundId } }, ...json(call) }),
        )
      ).refusals,
  };
}
