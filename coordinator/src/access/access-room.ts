import type { Env } from "@tributary/core";
import type { ResolvedConfig } from "../config.ts";
import type { App } from "../http/app.ts";
import { createBearerCheck } from "../http/operator-token.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { registerApiTokenRoutes } from "./api-token-routes.ts";
import { createApiTokens } from "./api-tokens.ts";
import { registerLoginCodeRoutes } from "./login-code-routes.ts";
import { createLoginCodes } from "./login-codes.ts";
import { createGuard, type Guard } from "./guard.ts";
import { createIdentify } from "./identify.ts";
import { modelLookups } from "./model-lookups.ts";
import { registerOperatorRoutes } from "./operator-routes.ts";
import { createIdentityProvider } from "./oidc/identity-provider.ts";
import { registerOidcRoutes } from "./oidc/oidc-routes.ts";
import { createOperators } from "./operators.ts";
import { createPasswords, type ScryptCost } from "./passwords.ts";
import { ownCookie, SESSION_COOKIE } from "./session-cookie.ts";
import { registerSessionRoutes } from "./session-routes.ts";
import { createSessions } from "./sessions.ts";
import { createSetupLink } from "./setup-link.ts";
import { createSignInLimits } from "./sign-in-limits.ts";

export interface AccessRoomOptions {
  readonly config: ResolvedConfig;
  readonly env: Pick<Env, "clock" | "random">;
  /** Opened after the server that the room stands before. */
  readonly store: () => MetadataStore;
  readonly operatorToken: string;
  /** The coordinator's own address, once it listens. */
  readonly url: () => string;
  /** What a password costs, for tests. */
  readonly passwordCost?: ScryptCost;
}

/** Who operators are, and what they may. */
export interface AccessRoom {
  readonly guard: Guard;
  /** Adds `/v1/session`, `/v1/operators`, `/v1/api-tokens`, `/v1/login-codes` and `/v1/setup`. */
  register(app: App): void;
  /** The code of a link that makes the first admin; null where there is an account already. */
  issueSetupCode(): Promise<string | null>;
}

export function createAccessRoom(options: AccessRoomOptions): AccessRoom {
  const { config, env, store, operatorToken, url } = options;
  const { clock, random } = env;
  const { oidc } = config;
  const provider = oidc && createIdentityProvider({ oidc, clock: env.clock });
  const { sessionIdleMs: idleMs, sessionLifetimeMs: lifetimeMs, providerSessionLifetimeMs } = config.limits;
  const secure = config.tls !== undefined || config.publicUrl?.startsWith("https:") === true;

  const sessions = createSessions({
    store,
    clock,
    random,
    idleMs,
    lifetimeMs,
    provider: { rules: oidc?.rulesDigest, lifetimeMs: providerSessionLifetimeMs },
  });
  const cookie = ownCookie(SESSION_COOKIE, { secure });
  const tokens = createApiTokens({ store, sessions, clock, random });
  const setup = createSetupLink({ store, clock, random });
  const passwords = createPasswords(random, options.passwordCost);
  const limits = createSignInLimits(clock);
  const operators = createOperators({ env, store, passwords, limits, sessions, setup });
  const guard = createGuard({
    identify: createIdentify({
      config,
      isBootstrap: createBearerCheck(operatorToken),
      tokens,
      browsers: { sessions, cookie, store },
    }),
    lookups: modelLookups(store),
  });

  return {
    guard,
    register(app) {
      registerSessionRoutes(app, {
        store,
        guard,
        operators,
        sessions,
        cookie,
        setup,
        lifetimeMs,
        idleMs,
        ...(oidc && { identityProvider: oidc.name }),
        ...(oidc?.signOut === true && {
          providerSignOut: async () => provider?.signOutUrl(new URL("/", url())),
        }),
      });
      registerOidcRoutes(app, {
        env,
        oidc,
        provider,
        guard,
        operators,
        limits,
        cookie,
        secure,
        lifetimeMs: providerSessionLifetimeMs,
        url,
      });
      registerOperatorRoutes(app, { store, operators });
      registerApiTokenRoutes(app, { store, clock, tokens, sessions });
      const codes = createLoginCodes({ clock, random });
      registerLoginCodeRoutes(app, { store, clock, guard, codes, tokens, sessions, limits });
    },
    issueSetupCode: () => setup.issue(),
  };
}
