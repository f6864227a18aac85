import { silentLogger } from "@tributary/core";
import type { SessionView } from "@tributary/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CALLBACK_PATH } from "../../src/access/oidc/oidc-routes.ts";
import { runningCoordinator, type RunningCoordinator } from "../running-coordinator.ts";
import { CookieJar } from "./cookie-jar.ts";
import { CLIENT_ID, CLIENT_SECRET, openIdProvider, type OpenIdProvider } from "./openid-provider.ts";

let provider: OpenIdProvider;
let coordinator: RunningCoordinator;
beforeAll(async () => {
  provider = await openIdProvider();
  coordinator = await runningCoordinator({
    env: { log: silentLogger, passwordCost: { logN: 4, r: 8, p: 1 } },
    oidc: {
      issuer: provider.issuer,
      clientId: CLIENT_ID,
      clientSecret: CLIENT_SECRET,
      grants: ["groups=readers:viewer"],
      signOut: true,
    },
  });
  provider.open(coordinator.url + CALLBACK_PATH, { ada: { preferred_username: "ada", groups: ["readers"] } });
});
afterAll(async () => {
  await coordinator.end();
  await provider.close();
});

const goThere = (jar: CookieJar): Promise<URL> =>
  jar.follow(`${coordinator.url}/v1/session/oidc`, coordinator.url + CALLBACK_PATH);
const viewOf = async (answer: Response): Promise<SessionView> => (await answer.json()) as SessionView;
const signOut = async (jar: CookieJar): Promise<SessionView> => {
  const { csrfToken } = await viewOf(await jar.get(`${coordinator.url}/v1/session`));
  return viewOf(
    await jar.send(`${coordinator.url}/v1/session`, {
      method: "DELETE",
      headers: { "tributary-csrf": csrfToken! },
    }),
  );
};

test("whoever the provider knows is signed out here, and led there to sign out too", async () => {
  const jar = new CookieJar();
  provider.person = "ada";
  await jar.get(await goThere(jar));
  // The provider knows them still, and asks nobody.
  provider.person = undefined;
  expect((await goThere(jar)).searchParams.has("code")).toBe(true);
  const { principal, providerSignOut } = await signOut(jar);
  expect(principal).toBeNull();
  const address = new URL(providerSignOut!);
  expect(address.origin).toBe(provider.issuer);
  expect(Object.fromEntries(address.searchParams)).toEqual({
    client_id: CLIENT_ID,
    post_logout_redirect_uri: `${coordinator.url}/`,
  });
  // It asks whether they mean it.
  const asks = await (await jar.get(address)).text();
  const [, action] = /action="([^"]+)"/.exec(asks)!;
  const [, xsrf] = /name="xsrf" value="([^"]+)"/.exec(asks)!;
  const said = await jar.send(new URL(action!, provider.issuer), {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ xsrf: xsrf!, logout: "yes" }).toString(),
  });
  expect(said.headers.get("location")).toBe(`${coordinator.url}/`);
  expect((await goThere(jar)).searchParams.get("error")).toBe("access_denied");
});

test("whoever has an account is signed out here alone", async () => {
  const headers = { "content-type": "application/json" };
  const account = { name: "ben", password: "correct horse battery" };
  await coordinator.request("/v1/operators", {
    method: "POST",
    operator: true,
    headers,
    body: JSON.stringify({ ...account, grants: [{ model: "*", role: "viewer" }] }),
  });
  const jar = new CookieJar();
  const body = JSON.stringify(account);
  await jar.send(`${coordinator.url}/v1/session`, { method: "POST", headers, body });
  expect(await signOut(jar)).not.toHaveProperty("providerSignOut");
});
