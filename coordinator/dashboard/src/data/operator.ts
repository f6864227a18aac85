import {
  createApiClient,
  TributaryError,
  type ApiClient,
  type AuditFilter,
  type AuditView,
  type RolloutChange,
  type RolloutView,
  type VersionView,
} from "@tributary/api-client";
import type { Session } from "./session.ts";

/** What the page does in the name of who is signed in, or, where one may look without, of a token that is asked for once. */
export interface Operator {
  /** Whether somebody is signed in, or a token was accepted before. */
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

export function createOperator(baseUrl: string, session?: Session): Operator {
  let accepted: string | undefined;
  const signedIn = (): boolean => {
    const kind = session?.current?.principal?.kind;
    return kind !== undefined && kind !== "anonymous";
  };
  /** A session may have ended: what is refused asks who it is. */
  const asked = async (error: unknown): Promise<never> => {
    if (TributaryError.is(error) && error.code === "identity/not-authorized") await session?.refresh();
    throw error;
  };
  const withToken = async <T>(
    token: string | undefined,
    call: (api: ApiClient) => Promise<T>,
  ): Promise<T> => {
    if (session !== undefined && signedIn()) return call(session.api()).catch(asked);
    try {
      const answer = await call(createApiClient({ baseUrl, token }));
      accepted = token;
      return answer;
    } catch (error) {
      // What was refused for another reason says nothing of the token.
      if (TributaryError.is(error) && error.code.startsWith("identity/")) accepted = undefined;
      throw error;
    }
  };
  return {
    get known() {
      return signedIn() || accepted !== undefined;
    },
    run: (call, token = accepted) => withToken(token, call),
    release: (model, version, token = accepted) =>
      withToken(token, (api) => api.releaseVersion(model, version)),
    audit: (filter, token = accepted) => withToken(token, (api) => api.audit(filter)),
    changeRollout: ({ model, rollout }, change, token = accepted) =>
      withToken(token, (api) => api.changeRollout(model, rollout, change)),
  };
}
