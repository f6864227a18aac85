import type { Client } from "openapi-fetch";
import { answered, json, type CallOptions } from "./calling.ts";
import type { paths } from "./generated/api.ts";
import type {
  AccessGrant,
  ApiTokenCreated,
  ApiTokenView,
  NewApiToken,
  NewLoginCode,
  NewOperator,
  OperatorView,
  SessionView,
  SignedInView,
} from "./views.ts";

/** Who operators are, and what they may. */
export interface AccessApi {
  /** Who asks, and how one can sign in. */
  session(options?: CallOptions): Promise<SessionView>;
  /** Signs a page in: the cookie comes with the answer. */
  signIn(name: string, password: string, options?: CallOptions): Promise<SessionView>;
  signOut(options?: CallOptions): Promise<SessionView>;
  /** Makes the first admin, with the code of the link that the coordinator printed. */
  setUp(code: string, name: string, password: string, options?: CallOptions): Promise<SessionView>;
  /** One's own password, by the one before: other browsers are signed out, and this one has another session. */
  changePassword(current: string, password: string, options?: CallOptions): Promise<SessionView>;
  /** The accounts of operators, by name. */
  operators(options?: CallOptions): Promise<readonly OperatorView[]>;
  addOperator(operator: NewOperator, options?: CallOptions): Promise<OperatorView>;
  /** Other roles, from the next request on. */
  grantOperator(name: string, grants: readonly AccessGrant[], options?: CallOptions): Promise<OperatorView>;
  /** Signs their browsers out. */
  setOperatorPassword(name: string, password: string, options?: CallOptions): Promise<OperatorView>;
  /** With their sessions and tokens. */
  removeOperator(name: string, options?: CallOptions): Promise<readonly OperatorView[]>;
  /** Tokens for programs, without the tokens themselves. */
  apiTokens(options?: CallOptions): Promise<readonly ApiTokenView[]>;
  /** The token is in this answer alone. */
  createApiToken(token: NewApiToken, options?: CallOptions): Promise<ApiTokenCreated>;
  revokeApiToken(id: string, options?: CallOptions): Promise<readonly ApiTokenView[]>;
  /** Lets a command line act as whoever is signed in. @returns a code for it, good once and for a minute */
  createLoginCode(login: NewLoginCode, options?: CallOptions): Promise<string>;
  /** The token for a command line's code, by the verifier of the challenge that the code was made for. */
  exchangeLoginCode(code: string, verifier: string, options?: CallOptions): Promise<ApiTokenCreated>;
  /** The browsers that are signed in. */
  operatorSessions(options?: CallOptions): Promise<readonly SignedInView[]>;
  endOperatorSession(id: string, options?: CallOptions): Promise<readonly SignedInView[]>;
}

/** As openapi-fetch takes it: what has a default is not optional, and lists are not readonly. */
type NewOperatorBody = paths["/v1/operators"]["post"]["requestBody"]["content"]["application/json"];

/** As openapi-fetch takes it: what has a default is not optional, and lists are not readonly. */
type NewApiTokenBody = paths["/v1/api-tokens"]["post"]["requestBody"]["content"]["application/json"];

/** As openapi-fetch takes it: lists are not readonly. */
type NewLoginCodeBody = paths["/v1/login-codes"]["post"]["requestBody"]["content"]["application/json"];

export function accessApi(http: Client<paths>): AccessApi {
  return {
    session: (call) => answered("GET /v1/session", call, () => http.GET("/v1/session", { ...json(call) })),
    signIn: (name, password, call) =>
      answered("POST /v1/session", call, () =>
        http.POST("/v1/session", { body: { name, password }, ...json(call) }),
      ),
    signOut: (call) =>
      answered("DELETE /v1/session", call, () => http.DELETE("/v1/session", { ...json(call) })),
    setUp: (code, name, password, call) =>
      answered("POST /v1/setup", call, () =>
        http.POST("/v1/setup", { body: { code, name, password }, ...json(call) }),
      ),
    changePassword: (current, password, call) =>
      answered("PUT /v1/session/password", call, () =>
        http.PUT("/v1/session/password", { body: { current, password }, ...json(call) }),
      ),
    operators: async (call) =>
      (await answered("GET /v1/operators", call, () => http.GET("/v1/operators", { ...json(call) })))
        .operators,
    addOperator: (operator, call) =>
      answered("POST /v1/operators", call, () =>
        http.POST("/v1/operators", { body: operator as NewOperatorBody, ...json(call) }),
      ),
    grantOperator: (operator, grants, call) =>
      answered(`PUT /v1/operators/${operator}/grants`, call, () =>
        http.PUT("/v1/operators/{operator}/grants", {
          params: { path: { operator } },
          body: { grants: [...grants] },
          ...json(call),
        }),
      ),
    setOperatorPassword: (operator, password, call) =>
      answered(`PUT /v1/operators/${operator}/password`, call, () =>
        http.PUT("/v1/operators/{operator}/password", {
          params: { path: { operator } },
          body: { password },
          ...json(call),
        }),
      ),
    removeOperator: async (operator, call) =>
      (
        await answered(`DELETE /v1/operators/${operator}`, call, () =>
          http.DELETE("/v1/operators/{operator}", { params: { path: { operator } }, ...json(call) }),
        )
      ).operators,
    apiTokens: async (call) =>
      (await answered("GET /v1/api-tokens", call, () => http.GET("/v1/api-tokens", { ...json(call) })))
        .tokens,
    createApiToken: (token, call) =>
      answered("POST /v1/api-tokens", call, () =>
        http.POST("/v1/api-tokens", { body: token as NewApiTokenBody, ...json(call) }),
      ),
    revokeApiToken: async (token, call) =>
      (
        await answered(`DELETE /v1/api-tokens/${token}`, call, () =>
          http.DELETE("/v1/api-tokens/{token}", { params: { path: { token } }, ...json(call) }),
        )
      ).tokens,
    createLoginCode: async (login, call) =>
      (
        await answered("POST /v1/login-codes", call, () =>
          http.POST("/v1/login-codes", { body: login as NewLoginCodeBody, ...json(call) }),
        )
      ).code,
    exchangeLoginCode: (code, verifier, call) =>
      answered("POST /v1/login-codes/token", call, () =>
        http.POST("/v1/login-codes/token", { body: { code, verifier }, ...json(call) }),
      ),
    operatorSessions: async (call) =>
      (
        await answered("GET /v1/operator-sessions", call, () =>
          http.GET("/v1/operator-sessions", { ...json(call) }),
        )
      ).sessions,
    endOperatorSession: async (session, call) =>
      (
        await answered(`DELETE /v1/operator-sessions/${session}`, call, () =>
          http.DELETE("/v1/operator-sessions/{session}", { params: { path: { session } }, ...json(call) }),
        )
      ).sessions,
  };
}
