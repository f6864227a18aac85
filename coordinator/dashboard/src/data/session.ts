import { createApiClient, type ApiClient, type SessionView } from "@tributary/api-client";
import type { Can, Permission } from "./permissions.ts";

/** Who looks at the page. */
export interface Session {
  /** Undefined until the coordinator told it. */
  readonly current: SessionView | undefined;
  /** Calls in the name of whoever is signed in. */
  api(): ApiClient;
  /** Asks again who it is: a session may have ended. */
  refresh(): Promise<void>;
  signIn(name: string, password: string): Promise<void>;
  signOut(): Promise<void>;
  /** Makes the first admin, and signs in as them. */
  setUp(code: string, name: string, password: string): Promise<void>;
  subscribe(listener: () => void): () => void;
}

export function createSession(baseUrl: string): Session {
  let current: SessionView | undefined;
  const listeners = new Set<() => void>();
  const show = (view: SessionView): void => {
    current = view;
    for (const listener of listeners) listener();
  };
  const api = (): ApiClient => createApiClient({ baseUrl, csrfToken: current?.csrfToken ?? undefined });
  return {
    get current() {
      return current;
    },
    api,
    refresh: async () => show(await api().session()),
    signIn: async (name, password) => show(await api().signIn(name, password)),
    signOut: async () => show(await api().signOut()),
    setUp: async (code, name, password) => show(await api().setUp(code, name, password)),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

const RIGHTS: Readonly<Record<string, readonly Permission[]>> = {
  viewer: ["view"],
  operator: ["view", "operate"],
  admin: ["view", "operate", "administer", "audit"],
  auditor: ["view", "audit"],
};

/**
 * What is shown to whoever looks: what they may of any model, as the coordinator decides of each. Nobody who is signed in is shown everything,
 * where they may look at all: what they do asks for a token.
 */
export function canOf({ principal }: SessionView): Can {
  if (principal === null || principal.kind === "anonymous") return () => true;
  return (permission) => principal.grants.some(({ role }) => RIGHTS[role]?.includes(permission) === true);
}
