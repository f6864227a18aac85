import type { Client } from "openapi-fetch";
import { answered, json, type CallOptions } from "./calling.ts";
import type { paths } from "./generated/api.ts";
import type { DraftView, KeyRoleChange, KeyRoleView, PublicKeyBody } from "./views.ts";

/** Who signs each role of the release. */
export interface KeysApi {
  /** Who signs each role of the release, and until when it is signed. */
  keys(options?: CallOptions): Promise<readonly KeyRoleView[]>;
  publicKeys(role: string, options?: CallOptions): Promise<readonly PublicKeyBody[]>;
  /** Gives a role other keys or another threshold. */
  setKeys(role: string, change: KeyRoleChange, options?: CallOptions): Promise<KeyRoleView>;
  /** Has the coordinator make a new key in the place of those of the role that are there. */
  rotateKey(role: string, options?: CallOptions): Promise<KeyRoleView>;
  /** The next metadata of a role, which waits for signatures. */
  draft(role: string, options?: CallOptions): Promise<DraftView>;
  /** Adds the signatures of a copy of the draft. */
  addSignatures(role: string, file: string, options?: CallOptions): Promise<KeyRoleView>;
}

/** As openapi-fetch takes it: what has a default is not optional, and lists are not readonly. */
type KeyRoleBody = paths["/v1/keys/{role}"]["put"]["requestBody"]["content"]["application/json"];

export function keysApi(http: Client<paths>): KeysApi {
  return {
    keys: async (call) =>
      (await answered("GET /v1/keys", call, () => http.GET("/v1/keys", { ...json(call) }))).roles,
    publicKeys: async (role, call) =>
      (
        await answered(`GET /v1/keys/${role}/keys`, call, () =>
          http.GET("/v1/keys/{role}/keys", { params: { path: { role } }, ...json(call) }),
        )
      ).keys,
    setKeys: (role, change, call) =>
      answered(`PUT /v1/keys/${role}`, call, () =>
        http.PUT("/v1/keys/{role}", {
          params: { path: { role } },
          body: change as KeyRoleBody,
          ...json(call),
        }),
      ),
    rotateKey: (role, call) =>
      answered(`POST /v1/keys/${role}/rotation`, call, () =>
        http.POST("/v1/keys/{role}/rotation", { params: { path: { role } }, ...json(call) }),
      ),
    draft: (role, call) =>
      answered(`GET /v1/keys/${role}/draft`, call, () =>
        http.GET("/v1/keys/{role}/draft", { params: { path: { role } }, ...json(call) }),
      ),
    addSignatures: (role, file, call) =>
      answered(`POST /v1/keys/${role}/signatures`, call, () =>
        http.POST("/v1/keys/{role}/signatures", {
          params: { path: { role } },
          body: { file },
          ...json(call),
        }),
      ),
  };
}
