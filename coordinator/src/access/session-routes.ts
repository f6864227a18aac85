import { failure } from "@tributary/core";
import {
  ApiTokenIdSchema,
  PasswordChange,
  SessionView,
  Setup,
  SignedInList,
  SignIn,
  type SignedInView,
} from "@tributary/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import Type from "typebox";
import type { App } from "../http/app.ts";
import type { SessionRecord } from "../ports/access-records.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { timestamp } from "../registry/views.ts";
import { checkCsrf, type Guard } from "./guard.ts";
import { sessionPrincipal } from "./identify.ts";
import type { Operators, SignedIn } from "./operators.ts";
import { actorOf, may, operatorNamed, type Principal } from "./principal.ts";
import type { OwnCookie } from "./session-cookie.ts";
import type { Seen, Sessions } from "./sessions.ts";
import type { SetupLink } from "./setup-link.ts";

export interface SessionRouteOptions {
  readonly store: () => Pick<MetadataStore, "accounts">;
  readonly guard: Guard;
  readonly operators: Operators;
  readonly sessions: Pick<Sessions, "list">;
  readonly cookie: OwnCookie;
  readonly setup: Pick<SetupLink, "isOpen">;
  readonly lifetimeMs: number;
  /** How long a session lasts without use. */
  readonly idleMs: number;
  /** What the identity provider is called. */
  readonly identityProvider?: string;
  /** Where a browser signs out there too, where that is wanted. */
  readonly providerSignOut?: () => Promise<URL | undefined>;
}

const tags = ["access"];
const open = { audience: "public" } as const;

/** Where a request comes from, as its session shows it. */
export function seenIn({ ip, headers }: Pick<FastifyRequest, "ip" | "headers">): Seen {
  return { address: ip, agent: headers["user-agent"] ?? "" };
}

/** `/v1/session` and `/v1/operator-sessions`: signing in and out, who one is, and the browsers that are signed in. */
export function registerSessionRoutes(app: App, options: SessionRouteOptions): void {
  const { store, guard, operators, sessions, cookie, setup, lifetimeMs, idleMs } = options;

  const view = async (principal: Principal | null): Promise<SessionView> => ({
    principal: principal && {
      kind: principal.kind,
      name: principal.name,
      account: principal.account ?? null,
      grants: principal.grants,
    },
    csrfToken: principal?.session?.csrfToken ?? null,
    expiresAt: principal?.session === undefined ? null : timestamp(principal.session.expiresAt),
    idleMs: principal?.session === undefined ? null : idleMs,
    signIn: {
      password: (await store().accounts.count()) > 0,
      identityProvider: options.identityProvider ?? null,
      setup: await setup.isOpen(),
    },
  });
  const noStore = (reply: FastifyReply): FastifyReply => reply.header("cache-control", "no-store");
  const signedIn = async (reply: FastifyReply, began: SignedIn): Promise<SessionView> => {
    noStore(reply).header("set-cookie", cookie.set(began.cookie, lifetimeMs));
    return view((await sessionPrincipal(began.session, began.cookie, store())) ?? null);
  };
  /** Refusals of routes that are open to everyone are noted like those of the others. */
  const noted = async <T>(request: FastifyRequest, work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      guard.refused(request, error);
      throw error;
    }
  };
  /** What a browser was signed in with before: another session takes its place, and it is over. */
  const endBefore = async (request: FastifyRequest): Promise<void> => {
    const before = await guard.identify(request).catch(() => null);
    const session = before?.session && (await sessions.list()).find(({ id }) => id === before.session!.id);
    if (before !== null && session !== undefined)
      await operators.end(operatorNamed(before.name, before.subject), session);
  };

  /** Whoever signs out is signed out here, whatever becomes of it at the provider. */
  const signOutThere = async (request: FastifyRequest): Promise<URL | undefined> => {
    try {
      return await options.providerSignOut?.();
    } catch (error) {
      request.log.warn({ err: error }, "signing out at the identity provider is not possible");
      return undefined;
    }
  };

  app.get(
    "/v1/session",
    {
      config: open,
      schema: { summary: "Who asks, and how one can sign in", tags, response: { 200: SessionView } },
    },
    async (request, reply) => {
      noStore(reply);
      // A token that is wrong is nobody's here: the page asks how to sign in.
      return view(await guard.identify(request).catch(() => null));
    },
  );

  app.post(
    "/v1/session",
    {
      config: { ...open, problems: [401] },
      bodyLimit: 8_192,
      schema: {
        summary: "Sign in: a cookie comes with the answer",
        tags,
        body: SignIn,
        response: { 200: SessionView },
      },
    },
    async (request, reply) => {
      const began = await noted(request, operators.signIn(request.body, seenIn(request)));
      await endBefore(request);
      return signedIn(reply, began);
    },
  );

  app.delete(
    "/v1/session",
    { config: open, schema: { summary: "Sign out", tags, response: { 200: SessionView } } },
    async (request, reply) => {
      const principal = await guard.identify(request).catch(() => null);
      if (principal !== null) await noted(request, (async () => checkCsrf(request, principal))());
      await endBefore(request);
      noStore(reply).header("set-cookie", cookie.clear());
      const there = principal?.kind === "identity-provider" ? await signOutThere(request) : undefined;
      return { ...(await view(null)), ...(there && { providerSignOut: there.href }) };
    },
  );

  app.post(
    "/v1/setup",
    {
      config: { ...open, problems: [401] },
      bodyLimit: 8_192,
      schema: {
        summary: "Make the first admin, with the code of the link that the first start printed",
        tags,
        body: Setup,
        response: { 200: SessionView },
      },
    },
    async (request, reply) =>
      signedIn(reply, await noted(request, operators.setUp(request.body, seenIn(request)))),
  );

  app.put(
    "/v1/session/password",
    {
      config: { needs: "view", of: "any" },
      bodyLimit: 8_192,
      schema: {
        summary: "Give oneself another password: other browsers are signed out",
        tags,
        body: PasswordChange,
        response: { 200: SessionView },
      },
    },
    async (request, reply) => {
      const { principal, body } = request;
      if (principal?.kind !== "account")
        throw failure(
          "identity/forbidden",
          "access: only who signed in to an account has a password to change",
          {
            detail: { needs: "account" },
          },
        );
      const given = { ...body, name: principal.name };
      const began = await noted(request, operators.changePassword(actorOf(request), given, seenIn(request)));
      return signedIn(reply, began);
    },
  );

  const visible = async (request: FastifyRequest): Promise<SessionRecord[]> => {
    const { principal } = request;
    const all = await sessions.list();
    if (principal === null || may(principal, "administer")) return all;
    const { session, subject, name } = principal;
    if (session === undefined) return [];
    // An account and somebody at an identity provider may have the same name, and two there too.
    return subject === undefined
      ? all.filter((each) => each.vouched === null && each.name === name)
      : all.filter((each) => each.vouched?.subject === subject);
  };

  app.get(
    "/v1/operator-sessions",
    {
      config: { of: "any" },
      schema: {
        summary: "The browsers that are signed in: one's own, or, for admins, all",
        tags,
        response: { 200: SignedInList },
      },
    },
    async (request, reply) => {
      noStore(reply);
      const current = request.principal?.session?.id;
      return { sessions: (await visible(request)).map((session) => signedInView(session, current)) };
    },
  );

  app.delete(
    "/v1/operator-sessions/:session",
    {
      config: { needs: "view", of: "any" },
      schema: {
        summary: "Sign a browser out",
        tags,
        params: Type.Object({ session: ApiTokenIdSchema }),
        response: { 200: SignedInList },
      },
    },
    async (request, reply) => {
      const { session: id } = request.params;
      const session = (await visible(request)).find((each) => each.id === id);
      if (session === undefined || !(await operators.end(actorOf(request), session)))
        throw failure("http/not-found", `access: no session ${id}`, { detail: { session: id } });
      const current = request.principal?.session?.id;
      noStore(reply);
      return { sessions: (await visible(request)).map((each) => signedInView(each, current)) };
    },
  );
}

function signedInView(session: SessionRecord, current: string | undefined): SignedInView {
  const { id, name, grants, createdAt, seenAt, expiresAt, address, agent } = session;
  return {
    id,
    name,
    identityProvider: grants !== null,
    createdAt: timestamp(createdAt),
    seenAt: timestamp(seenAt),
    expiresAt: timestamp(expiresAt),
    address,
    agent,
    current: id === current,
  };
}
