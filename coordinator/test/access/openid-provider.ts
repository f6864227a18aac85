import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { decodeJwt, exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from "jose";
import Provider, { type Configuration } from "oidc-provider";

export const CLIENT_ID = "tributary";
export const CLIENT_SECRET = "a-secret-that-only-the-client-and-the-provider-know";

/** What the provider says of a person. */
export interface Person {
  readonly preferred_username?: string;
  readonly email?: string;
  readonly email_verified?: boolean;
  readonly groups?: readonly string[];
}

/** Puts another ID token into an answer of the token endpoint. */
export type Tamper = (claims: JWTPayload, idToken: string) => Promise<string> | string;

/** A real OpenID provider on loopback, which lets in whom the test names. */
export interface OpenIdProvider {
  readonly issuer: string;
  /** Who is at the keyboard: the next sign-in is theirs; without anybody it is broken off. */
  person: string | undefined;
  /** What becomes of the next ID tokens. */
  tamper: Tamper | undefined;
  /** Signs claims as the provider does. */
  sign(claims: JWTPayload): Promise<string>;
  /** Begins to answer: by then it is known where its clients come back. */
  open(redirectUri: string, people: Readonly<Record<string, Person>>, more?: Configuration): void;
  close(): Promise<void>;
}

/** @param host as it calls itself: `localhost` is another site than `127.0.0.1` to browsers */
export async function openIdProvider(host: "127.0.0.1" | "localhost" = "127.0.0.1"): Promise<OpenIdProvider> {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const server = await listening();
  const issuer = `http://${host}:${(server.address() as AddressInfo).port}`;
  const jwk = { ...(await exportJWK(privateKey)), kid: "first", alg: "RS256", use: "sig" };
  const opened: OpenIdProvider = {
    issuer,
    person: undefined,
    tamper: undefined,
    sign: (claims) => signed(claims, privateKey),
    open(redirectUri, people, more = {}) {
      const provider = new Provider(issuer, {
        clients: [
          {
            client_id: CLIENT_ID,
            client_secret: CLIENT_SECRET,
            redirect_uris: [redirectUri],
            post_logout_redirect_uris: [new URL("/", redirectUri).href],
          },
        ],
        jwks: { keys: [jwk] },
        cookies: { keys: ["of the provider's own cookies"] },
        claims: {
          openid: ["sub", "groups"],
          profile: ["preferred_username"],
          email: ["email", "email_verified"],
        },
        ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 600, IdToken: 600 },
        pkce: { required: () => true },
        features: {
          devInteractions: { enabled: false },
          rpInitiatedLogout: {
            // Its own page loads a font from elsewhere.
            logoutSource(ctx, form) {
              ctx.body = `<!doctype html><html lang="en"><title>Sign out</title><link rel="icon" href="data:,">${form}
<button form="op.logoutForm" name="logout" value="yes">Yes, sign me out</button></html>`;
            },
          },
        },
        interactions: { url: (_, { uid }) => `/interaction/${uid}` },
        findAccount: (_, sub) => ({
          accountId: sub,
          claims: () => ({ sub, ...people[sub] }),
        }),
        // Nobody is asked twice whether they meant it.
        async loadExistingGrant({ oidc }) {
          const grant = new oidc.provider.Grant({
            clientId: oidc.client!.clientId,
            accountId: oidc.session!.accountId!,
          });
          grant.addOIDCScope("openid profile email");
          await grant.save();
          return grant;
        },
        ...more,
      });
      provider.use(async (ctx, next) => {
        if (ctx.path.startsWith("/interaction/")) {
          const answer =
            opened.person === undefined
              ? { error: "access_denied", error_description: "nobody was there" }
              : { login: { accountId: opened.person } };
          return provider.interactionFinished(ctx.req, ctx.res, answer);
        }
        await next();
        const body = ctx.body as { id_token?: string } | undefined;
        if (ctx.path === "/token" && typeof body?.id_token === "string" && opened.tamper !== undefined)
          body.id_token = await opened.tamper(decodeJwt(body.id_token), body.id_token);
      });
      const answer = provider.callback();
      server.on("request", (request, response) => void answer(request, response));
    },
    close: () =>
      new Promise<void>((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
  return opened;
}

export function signed(
  claims: JWTPayload,
  key: CryptoKey | Uint8Array,
  { alg = "RS256", kid = "first" } = {},
): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg, kid }).sign(key);
}

async function listening(): Promise<Server> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return server;
}
