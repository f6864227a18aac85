import { createHash } from "node:crypto";
import { failure, type Clock, type SecureRandom } from "@tributary/core";
import type { NewToken } from "./api-tokens.ts";
import { digestOf, newSecret, sameText } from "./secrets.ts";

/** How long a code is good for: the browser brings it to the command line at once. */
export const LOGIN_CODE_MS = 60_000;

/** What somebody allowed a command line. */
export interface AllowedLogin {
  /** Id of the session in which they did. */
  readonly session: string;
  readonly wanted: NewToken;
}

export interface LoginCodesOptions {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly random: Pick<SecureRandom, "bytes">;
}

/** Codes that browsers bring to command lines, which exchange them for tokens. They are kept as digests, in memory. */
export interface LoginCodes {
  /** A code, in the place of one before of the same session. @param challenge - of PKCE: base64url of the verifier's SHA-256 */
  issue(challenge: string, login: AllowedLogin): string;
  /**
   * Takes a code, which is of no use afterwards, whoever brought it.
   *
   * @throws `identity/invalid-login-code` where there is none, it is older than a minute, or it was made for another verifier
   */
  take(code: string, verifier: string): AllowedLogin;
}

export function createLoginCodes({ clock, random }: LoginCodesOptions): LoginCodes {
  /** By the digest of the code; no more than there are sessions. */
  const issued = new Map<
    string,
    { readonly challenge: string; readonly login: AllowedLogin; readonly endsAt: number }
  >();

  return {
    issue(challenge, login) {
      const now = clock.monotonicMs();
      for (const [digest, before] of issued)
        if (before.login.session === login.session || now >= before.endsAt) issued.delete(digest);
      const code = newSecret(random);
      issued.set(digestOf(code), { challenge, login, endsAt: now + LOGIN_CODE_MS });
      return code;
    },
    take(code, verifier) {
      const digest = digestOf(code);
      const found = issued.get(digest);
      issued.delete(digest);
      const challenge = createHash("sha256").update(verifier).digest("base64url");
      // Compared also where there is none, so that both answers take as long.
      const isRight = sameText(challenge, found?.challenge ?? "");
      if (found === undefined || !isRight || clock.monotonicMs() >= found.endsAt) throw invalidLoginCode();
      return found.login;
    },
  };
}

export function invalidLoginCode(): Error {
  return failure(
    "identity/invalid-login-code",
    "access: the code of a command line was used before, is older than a minute, is of a session that ended, or was made for another verifier",
  );
}
