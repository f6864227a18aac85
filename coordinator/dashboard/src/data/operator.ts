import { createApiClient, type VersionView } from "@tributary/api-client";

/** What the page does in the operator's name. The token is asked for once, and lives as long as the page. */
export interface Operator {
  /** Whether a token was accepted before. */
  readonly known: boolean;
  /** @param token needed until one was accepted */
  release(model: string, version: number, token?: string): Promise<VersionView>;
}

export function createOperator(baseUrl: string): Operator {
  let accepted: string | undefined;
  return {
    get known() {
      return accepted !== undefined;
    },
    async release(model, version, token = accepted) {
      try {
        const released = await createApiClient({ baseUrl, token }).releaseVersion(model, version);
        accepted = token;
        return released;
      } catch (error) {
        accepted = undefined;
        throw error;
      }
    },
  };
}
