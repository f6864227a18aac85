import { createApiClient, type AccessGrant, type ApiTokenCreated } from "@tributary/api-client";
import { failure } from "@tributary/core";

/**
 * Signs in to an account, has a token made for it, and signs out again: what is kept is the token alone, which can be revoked by itself.
 *
 * @param wanted - roles of the token. @defaultValue all of the account's
 */
export async function tokenBySignIn(
  url: string,
  { name, password }: { readonly name: string; readonly password: string },
  wanted: { readonly label: string; readonly days: number; readonly grants?: readonly AccessGrant[] },
): Promise<ApiTokenCreated> {
  const fetch = fetchWithCookie();
  const session = await createApiClient({ baseUrl: url, fetch }).signIn(name, password);
  const { principal, csrfToken } = session;
  if (principal === null || csrfToken === null)
    throw failure(
      "cli/not-logged-in",
      `${url} took the password and keeps no session: is there a proxy that drops cookies?`,
    );
  const api = createApiClient({ baseUrl: url, csrfToken, fetch });
  try {
    const { label, days, grants = principal.grants } = wanted;
    return await api.createApiToken({ label, days, grants: [...grants] });
  } finally {
    await api.signOut();
  }
}

/** Sends back the cookie that it was given, as a browser does. */
function fetchWithCookie(): typeof fetch {
  let cookie: string | undefined;
  return async (input, init) => {
    const request = new Request(input, init);
    if (cookie !== undefined) request.headers.set("cookie", cookie);
    const answer = await fetch(request);
    const [given] = answer.headers.getSetCookie();
    cookie = given?.split(";", 1)[0] ?? cookie;
    return answer;
  };
}
