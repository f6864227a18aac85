import {
  createApiClient,
  type ApiClient,
  type AuditFilter,
  type AuditView,
  type RolloutChange,
  type RolloutView,
  type VersionView,
} from "@tributary/api-client";

/** What the page does in the operator's name. The token is asked for once, and lives as long as the page. */
export interface Operator {
  /** Whether a token was accepted before. */
  readonly known: boolean;
  /** Does something by the API. @param token needed until one was accepted */
  run<Answer>(call: (api: ApiClient) => Promise<Answer>, token?: string): Promise<Answer>;
  /** @param token needed until one was accepted */
  release(model: string, version: number, token?: string): Promise<VersionView>;
  /** What is in the audit log, newest first. @param token needed until one was accepted */
  audit(filter: AuditFilter, token?: string): Promise<AuditView>;
  /** @param token needed until one was accepted */
  changeRollout(
    rollout: Pick<RolloutView, "model" | "rollout">,
    change: RolloutChange,
    token?: string,
  ): Promise<RolloutView>;
}

export function createOperator(baseUrl: string): Operator {
  let accepted: string | undefined;
  const withToken = async <T>(
    token: string | undefined,
    call: (api: ApiClient) => Promise<T>,
  ): Promise<T> => {
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
    run: (call, token = accepted) => withToken(token, call),
    release: (model, version, token = accepted) =>
      withToken(token, (api) => api.releaseVersion(model, version)),
    audit: (filter, token = accepted) => withToken(token, (api) => api.audit(filter)),
    changeRollout: ({ model, rollout }, change, token = accepted) =>
      withToken(token, (api) => api.changeRollout(model, rollout, change)),
  };
}
