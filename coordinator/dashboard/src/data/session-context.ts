import { createContext, use, useSyncExternalStore } from "react";
import type { SessionView } from "@tributary/api-client";
import type { Session } from "./session.ts";

export const SessionContext = createContext<Session | undefined>(undefined);

/** Where whoever looks without an account asks to sign in. */
export const AskToSignIn = createContext<() => void>(() => undefined);

export function useSession(): Session {
  const session = use(SessionContext);
  if (session === undefined) throw new Error("the dashboard's parts are used outside <AccessGate>");
  return session;
}

/** Who looks; undefined in a part that is shown without a session. */
export function useWhoAmI(): SessionView | undefined {
  const session = use(SessionContext);
  return useSyncExternalStore(session?.subscribe ?? nothing, () => session?.current);
}

const nothing = (): (() => void) => () => undefined;
