import type { Consents, Runtime } from "@tributary/runtime";
import {
  consentControl,
  statusWords,
  type ConsentOptions,
  type ConsentStatus,
} from "@tributary/runtime/consent";
import { useCallback, useSyncExternalStore } from "react";

export interface UsedParticipation {
  readonly consents: Consents;
  readonly status: ConsentStatus;
  /** The status as a plain sentence. */
  readonly words: string;
  /** Gives or withdraws consents, by what a person pressed; what is left out stays. */
  readonly change: (change: Partial<Consents>) => void;
}

const NONE: Consents = { training: false, telemetry: false };
const OFF: ConsentStatus = { state: "off", last: undefined };
const server = { consents: (): Consents => NONE, status: (): ConsentStatus => OFF };

/**
 * A person's consents to this runtime, kept between visits, and what taking part does. It goes on when the component is gone,
 * until consent is withdrawn; every component sees the same.
 *
 * @param runtime - Undefined while `createRuntime` is under way: there is no consent then, and changes are ignored.
 * @param options - Of the first call for this runtime.
 */
export function useParticipation(runtime: Runtime | undefined, options?: ConsentOptions): UsedParticipation {
  const control = runtime === undefined ? undefined : consentControl(runtime, options);
  const subscribe = useCallback(
    (listener: () => void) => control?.subscribe(listener) ?? (() => undefined),
    [control],
  );
  const consents = useSyncExternalStore(subscribe, () => control?.consents ?? NONE, server.consents);
  const status = useSyncExternalStore(subscribe, () => control?.status ?? OFF, server.status);
  const change = useCallback((wanted: Partial<Consents>) => control?.change(wanted), [control]);
  return { consents, status, words: statusWords(status), change };
}
