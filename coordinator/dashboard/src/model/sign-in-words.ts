/** What the coordinator puts into the address when it leads somebody back from the identity provider without having let them in. */
const PROBLEM = "problem";

/** Why signing in elsewhere did not work out, in words; undefined where nobody comes back so. */
export function signInProblem(search: string, provider: string): string | undefined {
  const code = new URLSearchParams(search).get(PROBLEM);
  if (code === null) return undefined;
  switch (code) {
    case "identity/no-role":
      return `${provider} knows you, but nothing here is open to you. Ask an admin for a role.`;
    case "identity/provider-unreachable":
      return `${provider} does not answer. Try again later.`;
    case "identity/sign-in-expired":
      return "That took too long, or was begun in another browser. Begin again.";
    case "http/too-many-requests":
      return "Too many attempts. Wait a minute, and begin again.";
    default:
      return `Signing in at ${provider} did not work out. Begin again, or ask an admin: the coordinator's log says why.`;
  }
}

/** Where the identity provider is, by way of the coordinator; from there one comes back to where one is. */
export function providerHref({ pathname, search }: Pick<Location, "pathname" | "search">): string {
  const parameters = new URLSearchParams(search);
  parameters.delete(PROBLEM);
  const rest = parameters.toString();
  const returnTo = rest === "" ? pathname : `${pathname}?${rest}`;
  return `/v1/session/oidc?${new URLSearchParams({ returnTo }).toString()}`;
}
