import { createHash, randomBytes } from "node:crypto";
import { createApiClient, type AccessGrant, type ApiTokenCreated } from "@tributary/api-client";
import { failure } from "@tributary/core";
import { openLoopback, type LastPage } from "./loopback.ts";

/** How long somebody may take to sign in and to allow it. */
export const LOGIN_TIMEOUT_MS = 5 * 60_000;

export interface WantedLogin {
  /** This machine, as the page in the browser calls it. */
  readonly machine: string;
  readonly days: number;
  /** @defaultValue all that whoever allows it has */
  readonly grants?: readonly AccessGrant[];
}

export interface BrowserSignInOptions {
  /** Shows somebody the page at this address, where they allow it. */
  readonly show: (address: string) => Promise<void>;
  /** @defaultValue {@link LOGIN_TIMEOUT_MS} */
  readonly timeoutMs?: number;
}

/**
 * A token of whoever allows it in their browser, where they sign in as they always do: no password comes here. The browser brings a code to
 * a port of this machine, and the code is of no use without what only this process knows (RFC 8252, RFC 7636).
 *
 * @throws `cli/login-refused`, `cli/login-expired`, `identity/invalid-login-code`
 */
export async function tokenByBrowser(
  url: string,
  wanted: WantedLogin,
  { show, timeoutMs = LOGIN_TIMEOUT_MS }: BrowserSignInOptions,
): Promise<ApiTokenCreated> {
  const state = randomBytes(32).toString("base64url");
  const verifier = randomBytes(32).toString("base64url");
  const challenge = createHash("sha256").update(verifier).digest("base64url");
  await using loopback = await openLoopback(state);
  await show(addressOf(url, wanted, { port: loopback.port, state, challenge }));
  const answer = await loopback.answer(timeoutMs);
  if (answer.code === undefined) {
    await answer.show(REFUSED);
    throw failure("cli/login-refused", "whoever was asked in the browser refused; nothing was changed");
  }
  try {
    const made = await createApiClient({ baseUrl: url }).exchangeLoginCode(answer.code, verifier);
    await answer.show(DONE);
    return made;
  } catch (error) {
    await answer.show(FAILED);
    throw error;
  }
}

const DONE: LastPage = {
  title: "The command line is signed in",
  text: "You can close this page, and go on there.",
};
const REFUSED: LastPage = {
  title: "The command line is not signed in",
  text: "You refused it. You can close this page.",
};
const FAILED: LastPage = {
  title: "The command line is not signed in",
  text: "That did not work out; it says why there. You can close this page.",
};

/** The dashboard's page where one allows it. */
function addressOf(
  url: string,
  { machine, days, grants = [] }: WantedLogin,
  proof: { readonly port: number; readonly state: string; readonly challenge: string },
): string {
  const { port, state, challenge } = proof;
  const address = new URL("/sign-in/command-line", url);
  address.search = new URLSearchParams([
    ["machine", machine],
    ["days", String(days)],
    ...grants.map(({ role, model }) => ["role", `${role}@${model}`]),
    ["port", String(port)],
    ["state", state],
    ["challenge", challenge],
  ]).toString();
  return address.href;
}
