import { parseCookie, stringifySetCookie, type SetCookie } from "cookie";

/** Of a browser that signed in. */
export const SESSION_COOKIE = "tributary-session";

/** Under TLS no other host and no other path can set it, and it never goes over plain HTTP. */
export interface CookieOptions {
  /** Whether browsers reach the coordinator over https. */
  readonly secure: boolean;
}

/** A cookie of the coordinator's own. */
export interface OwnCookie {
  read(header: string | undefined): string | undefined;
  /** For `Set-Cookie`. */
  set(value: string, maxAgeMs: number): string;
  clear(): string;
}

/** @param sameSite - lax where a page of another site leads back here */
export function ownCookie(
  name: string,
  { secure }: CookieOptions,
  sameSite: "strict" | "lax" = "strict",
): OwnCookie {
  const fullName = secure ? `__Host-${name}` : name;
  const attributes = {
    name: fullName,
    path: "/",
    httpOnly: true,
    secure,
    sameSite,
  } satisfies Partial<SetCookie>;
  return {
    read: (header) => (header === undefined ? undefined : parseCookie(header)[fullName]),
    set: (value, maxAgeMs) =>
      stringifySetCookie({ ...attributes, value, maxAge: Math.floor(maxAgeMs / 1_000) }),
    clear: () => stringifySetCookie({ ...attributes, value: "", maxAge: 0 }),
  };
}
