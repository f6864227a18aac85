import {
  createApiClient,
  type ApiClient,
  type RolloutChange,
  type RolloutView,
  type VersionView,
} from "@tributary/api-client";

/** What the page does in the operator's name. The token is asked for once, and lives as long as the page. */
export interface Operator {
  /** Whether a token was accepted before. */
  readonly known: boolean;
  /** @param token needed until one was accepted */
  release(model: string, version: number, token?: string): Promise<VersionView>;
  /** @param token needed until one was accepted */
  changeRollout(
    rollout: Pick<RolloutView, "model" | "rollout">,
    change: RolloutChange,
    token?: string,
  ): Promise<RolloutView>;
}

export function createOperator(baseUrl: string): Operator {
  let accepted: string | undefined;
  const as = async <Answer>(
    token: string | undefined,
    call: (api: ApiClient) => Promise<Answer>,
  ): Promise<Answer> => {
    try {
      const answer = await call(createApiClient({ baseUrl, token }));
      accepted = token;
      return answer;
    } catch (error) {
      accepted = undefined;
      throw error;
    }
  };
  return {
    get known() {
      return accepted !== undefined;
    },
    release: (model, version, token = accepted) => as(token, (api) => api.releaseVersion(model, version)),
    changeRollout: ({ model, rollout }, change, token = accepted) =>
      as(token, (api) => api.changeRollout(model, rollout, change)),
  };
}
