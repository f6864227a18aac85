import { createHash } from "node:crypto";
import {
  decodeBase64url,
  decodeUtf8,
  encodeBase64url,
  encodeUtf8,
  type Clock,
  type SecureRandom,
} from "@tributary/core";
import { newSecret } from "../secrets.ts";

/** How long somebody may take at the provider. */
export const PENDING_MS = 10 * 60_000;

/** Longest way back that is kept. */
const MAX_RETURN = 1_024;

/**
 * A sign-in on its way: what the provider is sent, and gives back. All of it follows from a cookie, so that nothing is kept here that
 * strangers could fill, and what one browser began no other ends.
 */
export interface PendingSignIn {
  readonly cookie: string;
  readonly state: string;
  readonly nonce: string;
  /** Of PKCE: the provider is shown its digest first, and itself when the code is redeemed. */
  readonly codeVerifier: string;
  /** A path of this site. */
  readonly returnTo: string;
}

export function beginSignIn(
  { clock, random }: { readonly clock: Pick<Clock, "now">; readonly random: Pick<SecureRandom, "bytes"> },
  returnTo: string | undefined,
): PendingSignIn {
  const until = clock.now() + PENDING_MS;
  return follow([newSecret(random), until, encodeBase64url(encodeUtf8(pathOf(returnTo)))].join("."));
}

/** What a cookie began; undefined where it did not, or long ago. Whoever changes it has another state with it. */
export function pendingSignIn(cookie: string | undefined, now: number): PendingSignIn | undefined {
  if (cookie === undefined || !COOKIE.test(cookie)) return undefined;
  const until = Number(cookie.split(".")[1]);
  return now < until && until <= now + PENDING_MS ? follow(cookie) : undefined;
}

const COOKIE = /^[\w-]{43}\.\d{1,15}\.[\w-]{1,2000}$/;

function follow(cookie: string): PendingSignIn {
  const derived = (use: string): string =>
    createHash("sha256").update(`tributary oidc ${use} ${cookie}`).digest("base64url");
  return {
    cookie,
    state: derived("state"),
    nonce: derived("nonce"),
    codeVerifier: derived("code verifier"),
    returnTo: pathOf(decodedPath(cookie.split(".")[2]!)),
  };
}

function decodedPath(text: string): string | undefined {
  try {
    return decodeUtf8(decodeBase64url(text));
  } catch {
    return undefined;
  }
}

const HERE = "http://here.invalid";

/** A path of this site and no other, whatever was asked for. */
export function pathOf(asked: string | undefined): string {
  if (
    asked === undefined ||
    asked.length > MAX_RETURN ||
    !asked.startsWith("/") ||
    !URL.canParse(asked, HERE)
  )
    return "/";
  const { origin, pathname, search, hash } = new URL(asked, HERE);
  // `/.//elsewhere` has the path `//elsewhere`.
  return origin !== HERE || pathname.startsWith("//") ? "/" : `${pathname}${search}${hash}`;
}
