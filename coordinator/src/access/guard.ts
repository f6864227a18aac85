import { failure, TributaryError, type ModelName, type RoundId, type TaskName } from "@tributary/core";
import { CSRF_HEADER, type Right } from "@tributary/protocol";
import type { FastifyRequest } from "fastify";
import { may, maySomewhere, type Principal } from "./principal.ts";
import { isReading, type RouteAccess, type RouteScope } from "./route-access.ts";
import { sameText } from "./secrets.ts";

type NamedScope = Exclude<RouteScope, "any" | "all" | "body">;

/** Finds out who sends a request; null: nobody that is known. @throws `identity/*` where what was sent is wrong */
export type Identify = (request: Pick<FastifyRequest, "headers" | "ip">) => Promise<Principal | null>;

/** Which model an object belongs to; undefined where there is no such object. */
export interface ModelLookups {
  task(name: TaskName): Promise<ModelName | undefined>;
  round(id: RoundId): Promise<ModelName | undefined>;
  /** Null: of the whole release. */
  role(name: string): Promise<ModelName | null | undefined>;
}

export interface GuardOptions {
  readonly identify: Identify;
  readonly lookups: ModelLookups;
}

/** Stands before every route that operators call. */
export interface Guard {
  readonly identify: Identify;
  /**
   * Lets a request pass, or not. What a principal does not see is not there for them: they get the answer that they would get of a name
   * that nobody gave.
   *
   * @throws `identity/not-authorized`, `identity/forbidden`, `coordinator/unknown-model`, `coordinator/unknown-task`, `http/not-found`
   */
  admit(request: FastifyRequest, access: Extract<RouteAccess, { audience: "operator" }>): Promise<void>;
  /** The same of a model that the body names; nothing for routes whose body names none. */
  admitBody(request: FastifyRequest, access: RouteAccess): void;
  /** Notes that a request was refused: in the log, and counted; once, however often it is told of the same refusal. */
  refused(request: FastifyRequest, error: unknown): void;
  /** How many were refused, by the code of the error. */
  readonly refusals: ReadonlyMap<string, number>;
}

export function createGuard({ identify, lookups }: GuardOptions): Guard {
  const refusals = new Map<string, number>();
  const noted = new WeakSet<Error>();

  const modelOf = async (
    { params, query }: FastifyRequest,
    of: NamedScope,
  ): Promise<ModelName | null | undefined> => {
    const named = params as Partial<Record<string, string>>;
    switch (of) {
      case "model":
        return named["model"] as ModelName;
      case "task":
        return lookups.task(named["task"] as TaskName);
      case "round":
        return lookups.round(named["roundId"] as RoundId);
      case "role":
        return lookups.role(named["role"]!);
      case "query":
        return (query as { readonly model?: ModelName }).model ?? null;
    }
  };

  return {
    identify,
    refusals,
    async admit(request, access) {
      const principal = await identify(request);
      request.principal = principal;
      const { needs, of } = access;
      if (principal === null) throw notSignedIn(request);
      checkCsrf(request, principal);
      // Whoever may everything is told by the handler what is not there.
      if (may(principal, needs)) return;
      if (of === "all" || !maySomewhere(principal, needs)) throw forbidden(request, principal, needs);
      if (of === "any" || of === "body") return;
      const model = await modelOf(request, of);
      if (model === null) throw forbidden(request, principal, needs);
      if (model === undefined || !may(principal, "view", model)) throw notThere(request, of);
      if (!may(principal, needs, model)) throw forbidden(request, principal, needs);
    },
    admitBody(request, access) {
      if (access.audience !== "operator" || access.of !== "body" || request.principal === null) return;
      const { principal, body } = request;
      if (may(principal, access.needs)) return;
      const model = (body as { readonly model?: unknown } | null)?.model;
      if (typeof model === "string" && may(principal, access.needs, model as ModelName)) return;
      throw forbidden(request, principal, access.needs);
    },
    refused(request, error) {
      // Anything else is a fault of ours.
      if (!TributaryError.is(error) || noted.has(error)) return;
      noted.add(error);
      const { code } = error;
      refusals.set(code, (refusals.get(code) ?? 0) + 1);
      const { method, routeOptions, principal, ip } = request;
      request.log.warn(
        { method, route: routeOptions.url, code, principal: principal?.name ?? null, address: ip },
        "access refused",
      );
    },
  };
}

/**
 * A browser sends a session's cookie by itself, whoever made it send the request. What changes something has to come with what only the
 * coordinator's own page can read.
 *
 * @throws `identity/csrf`
 */
export function checkCsrf(request: FastifyRequest, { name, session }: Principal): void {
  if (session === undefined || isReading(request.method)) return;
  const sent = request.headers[CSRF_HEADER];
  if (typeof sent === "string" && sameText(sent, session.csrfToken)) return;
  throw failure(
    "identity/csrf",
    `access: ${request.method} ${request.routeOptions.url} of ${name} came without the ${CSRF_HEADER} header of its session`,
  );
}

function notSignedIn({ method, routeOptions }: FastifyRequest): Error {
  return failure(
    "identity/not-authorized",
    `access: ${method} ${routeOptions.url}: nobody is signed in; sign in, or send "Authorization: Bearer" with an operator's token`,
  );
}

function forbidden(request: FastifyRequest, principal: Principal, needs: Right): Error {
  if (principal.kind === "anonymous") return notSignedIn(request);
  return failure(
    "identity/forbidden",
    `access: ${request.method} ${request.routeOptions.url}: ${principal.name} may not "${needs}" here; ask an admin for a role that may`,
    { detail: { needs } },
  );
}

function notThere({ params, query }: FastifyRequest, of: NamedScope): Error {
  const named = (of === "query" ? query : params) as Partial<Record<string, string>>;
  switch (of) {
    case "task":
      return failure("coordinator/unknown-task", `http: no task "${named["task"]}"`, {
        detail: { task: named["task"]! },
      });
    case "round":
      return failure("http/not-found", `http: no round "${named["roundId"]}"`, {
        detail: { round: named["roundId"]! },
      });
    case "role":
      return failure("coordinator/unknown-role", `keys: nobody signs for a role ${named["role"]}`, {
        detail: { role: named["role"]! },
      });
    default:
      return failure("coordinator/unknown-model", `http: no model "${named["model"] ?? ""}"`, {
        detail: { model: named["model"] ?? "" },
      });
  }
}
