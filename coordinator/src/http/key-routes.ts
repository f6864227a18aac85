import {
  DraftView,
  KeyRoleChange,
  KeyRoleList,
  KeyRoleView,
  PublicKeyList,
  RoleNameSchema,
  SignedDraft,
} from "@tributary/protocol";
import Type from "typebox";
import { actorOf, sees } from "../access/principal.ts";
import type { RoleKeys } from "../releases/role-keys.ts";
import type { App } from "./app.ts";

export interface KeyRoutesOptions {
  readonly keys: RoleKeys;
  /** A role's file was signed with imported signatures: devices may follow it. */
  readonly signed: (view: KeyRoleView) => Promise<void>;
}

const tags = ["operator"];
const operator = [{ operator: [] }];
const params = Type.Object({ role: RoleNameSchema });
/** A draft as JSON text in JSON. */
const BODY_LIMIT_BYTES = 12_000_000;

/** Who signs the release. Private keys never pass here: they lie in files, the coordinator's or an operator's. */
export function registerKeyRoutes(app: App, { keys, signed }: KeyRoutesOptions): void {
  app.get(
    "/v1/keys",
    {
      config: { of: "any" },
      schema: {
        summary: "Who signs each role of the release, and until when it is signed",
        tags,
        response: { 200: KeyRoleList },
      },
    },
    async (request) => ({
      roles: (await keys.views()).filter(({ model }) => model === null || sees(request, model)),
    }),
  );

  app.get(
    "/v1/keys/:role/keys",
    {
      schema: { summary: "The public keys of a role", tags, params, response: { 200: PublicKeyList } },
    },
    async (request) => ({ keys: await keys.publicKeys(request.params.role) }),
  );

  app.put(
    "/v1/keys/:role",
    {
      config: { needs: "administer" },
      schema: {
        summary:
          "Give a role other keys or another threshold; it holds when the keys concerned have signed it",
        tags,
        security: operator,
        params,
        body: KeyRoleChange,
        response: { 200: KeyRoleView },
      },
    },
    (request) => keys.set(request.params.role, request.body, actorOf(request)),
  );

  app.post(
    "/v1/keys/:role/rotation",
    {
      config: { needs: "administer" },
      schema: {
        summary: "Make a new key here in the place of the role's keys that are here",
        tags,
        security: operator,
        params,
        response: { 200: KeyRoleView },
      },
    },
    (request) => keys.rotate(request.params.role, actorOf(request)),
  );

  app.get(
    "/v1/keys/:role/draft",
    {
      schema: {
        summary: "The next metadata of a role, which waits for signatures",
        tags,
        params,
        response: { 200: DraftView },
      },
    },
    async (request) => {
      const { role, version, bytes } = await keys.draft(request.params.role);
      return { role, version, file: new TextDecoder().decode(bytes) };
    },
  );

  app.post(
    "/v1/keys/:role/signatures",
    {
      config: { needs: "administer" },
      bodyLimit: BODY_LIMIT_BYTES,
      schema: {
        summary: "Add signatures to the metadata that waits; with enough of them it is released",
        tags,
        security: operator,
        params,
        body: SignedDraft,
        response: { 200: KeyRoleView },
      },
    },
    async (request) => {
      const file = new TextEncoder().encode(request.body.file);
      const view = await keys.sign(request.params.role, file, actorOf(request));
      if (view.waiting === null) await signed(view);
      return view;
    },
  );
}
