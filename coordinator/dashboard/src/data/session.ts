import { createApiClient, type ApiClient, type SessionView } from "@tributary/api-client";
import { ALL_MODELS, type Can, type Permission } from "./permissions.ts";

/** Who looks at the page. */
export interface Session {
  /** Undefined until the coordinator told it. */
  readonly current: SessionView | undefined;
  /** Why it could not be asked. */
  readonly problem: Error | undefined;
  /** Calls in the name of whoever is signed in. */
  api(): ApiClient;
  /** Asks again who it is: a session may have ended. What goes wrong is shown. */
  refresh(): Promise<void>;
  signIn(name: string, password: string): Promise<void>;
  signOut(): Promise<void>;
  /** One's own: other browsers are signed out. */
  changePassword(current: string, password: string): Promise<void>;
  /** Makes the first admin, and signs in as them. */
  setUp(code: string, name: string, password: string): Promise<void>;
  readonly subscribe: (listener: () => void) => () => void;
}

/** What the page does where it cannot go on as it is. */
export interface SessionPage {
  /** Somebody else looks: what was read for one person is not for another. */
  onOther(): void;
  /** One signs out elsewhere too, and comes back. */
  onLeave(address: string): void;
}

export function createSession(baseUrl: string, page: SessionPage): Session {
  let current: SessionView | undefined;
  let problem: Error | undefined;
  const listeners = new Set<() => void>();
  const tell = (): void => {
    for (const listener of listeners) listener();
  };
  const show = (view: SessionView): void => {
    const before = current;
    current = view;
    problem = undefined;
    // Nobody has read anything.
    if (before !== undefined && before.principal !== null && whoIs(before) !== whoIs(view)) page.onOther();
    tell();
  };
  const api = (): ApiClient => createApiClient({ baseUrl, csrfToken: current?.csrfToken ?? undefined });
  return {
    get current() {
      return current;
    },
    get problem() {
      return problem;
    },
    api,
    async refresh() {
      try {
        show(await api().session());
      } catch (error) {
        problem = error instanceof Error ? error : new Error(String(error));
        tell();
      }
    },
    signIn: async (name, password) => show(await api().signIn(name, password)),
    async changePassword(given, password) {
      // The same person, with another session: what was read is still theirs.
      current = await api().changePassword(given, password);
      tell();
    },
    async signOut() {
      const view = await api().signOut();
      if (view.providerSignOut === undefined) show(view);
      else page.onLeave(view.providerSignOut);
    },
    setUp: async (code, name, password) => show(await api().setUp(code, name, password)),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Whether somebody is an admin of all models, and of what belongs to none. */
export function administersAll({ principal }: SessionView): boolean {
  return principal?.grants.some(({ model, role }) => model === "*" && role === "admin") === true;
}

function whoIs({ principal, csrfToken }: SessionView): string {
  return JSON.stringify([principal, csrfToken]);
}

const RIGHTS: Readonly<Record<string, readonly Permission[]>> = {
  viewer: ["view"],
  operator: ["view", "operate"],
  admin: ["view", "operate", "administer", "audit"],
  auditor: ["view", "audit"],
};

/** What whoever looks may do. Nobody who is signed in is shown everything, where they may look at all: what they do asks for a token. */
export function canOf({ principal }: SessionView): Can {
  if (principal === null || principal.kind === "anonymous") return () => true;
  return (permission, of) =>
    principal.grants.some(
      ({ model, role }) =>
        (of === undefined || model === ALL_MODELS || model === of) &&
        RIGHTS[role]?.includes(permission) === true,
    );
}

/** The model that is shown first to whoever may do something of some models; undefined: they may of all, or of none. */
export function firstModelOf(view: SessionView, permission: Permission): string | undefined {
  const can = canOf(view);
  if (can(permission, ALL_MODELS)) return undefined;
  return view.principal?.grants.find(({ model }) => can(permission, model))?.model;
}
