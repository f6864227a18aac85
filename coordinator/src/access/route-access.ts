import type { Right } from "@tributary/protocol";
import type { RouteOptions } from "fastify";

/**
 * What of a route's objects is looked at: the model, task, round or key role that its path names; the model that its body or query names;
 * `any`: one right of any model is enough, and the handler shows no more than the principal sees; `all`: the right of all models.
 */
export type RouteScope = "model" | "task" | "round" | "role" | "body" | "query" | "any" | "all";

declare module "fastify" {
  interface FastifyContextConfig {
    /**
     * Who calls a route: everyone; devices, who identify themselves in the request; or operators, with what they
     * sign in by. @defaultValue "operator"
     */
    audience?: "public" | "device" | "operator";
    /** What operators need for it. @defaultValue "view" of GET and HEAD, else "operate" */
    needs?: Right;
    /** Of what. @defaultValue what the path names, else "all" */
    of?: RouteScope;
  }
}

/** Who may call a route. */
export type RouteAccess =
  | { readonly audience: "public" | "device" }
  | { readonly audience: "operator"; readonly needs: Right; readonly of: RouteScope };

/** A route, and who may call it. */
export interface ServedRoute {
  readonly method: string;
  /** With its parameters by name: `/v1/models/:model`. */
  readonly url: string;
  readonly access: RouteAccess;
}

const READING = new Set(["GET", "HEAD", "OPTIONS"]);

/** Methods that change nothing. */
export function isReading(method: string): boolean {
  return READING.has(method);
}

const NAMED_IN_PATH: readonly (readonly [RegExp, RouteScope])[] = [
  [/\/:model(?:\/|$)/, "model"],
  [/\/:task(?:\/|$)/, "task"],
  [/\/:roundId(?:\/|$)/, "round"],
  [/\/:role(?:\/|$)/, "role"],
];

/** The decision of a route: what it declares, and what follows where it declares nothing. */
export function routeAccess(
  { url, config = {} }: Pick<RouteOptions, "config"> & { readonly url?: string | undefined },
  method: string,
): RouteAccess {
  const { audience = "operator", needs = isReading(method) ? "view" : "operate", of } = config;
  if (audience !== "operator") return { audience };
  return { audience, needs, of: of ?? NAMED_IN_PATH.find(([path]) => path.test(url ?? ""))?.[1] ?? "all" };
}
