import { isConsent, type Consents } from "../consent.ts";
import type {
  Participation,
  ParticipateOptions,
  ParticipationEvent,
  ParticipationState,
  Runtime,
  RuntimeEvent,
} from "../runtime.ts";

/** What taking part is doing, for a status line. */
export interface ConsentStatus {
  /**
   * "off": there is no consent. "other-tab": another tab of this page takes part, and this one follows when it closes. "ended":
   * the device gave up, for what a "problem" of the runtime says; consent given anew begins again.
   */
  readonly state: "off" | Exclude<ParticipationState, "stopped"> | "offline" | "other-tab" | "ended";
  /** What the last round told, or why taking part ended; none before the first. */
  readonly last: ParticipationEvent | undefined;
}

export interface ConsentOptions extends Omit<ParticipateOptions, "consent"> {
  /** Where the answer is kept between visits, for all tabs of the origin. @defaultValue "tributary-consent" */
  readonly storageKey?: string;
  /** @defaultValue the page's `localStorage`; memory where there is none */
  readonly storage?: Pick<Storage, "getItem" | "setItem"> & Partial<Pick<Storage, "removeItem">>;
}

/** A person's consents, kept, and a participation that fits them at any moment. */
export interface ConsentControl {
  readonly consents: Consents;
  /** Another object whenever something changed. */
  readonly status: ConsentStatus;
  /**
   * Gives or withdraws consents; what is left out stays. The first one begins to take part, without any the participation ends
   * and what is under way is cancelled.
   *
   * @throws `federation/busy` where the app takes part by `runtime.participate` on its own
   */
  change(change: Partial<Consents>): void;
  /** Calls back after each change of `consents` or `status`; the answer ends it. */
  subscribe(listener: () => void): () => void;
}

const DEFAULT_KEY = "tributary-consent";
const NONE: Consents = Object.freeze({ training: false, telemetry: false });
const OFF: ConsentStatus = Object.freeze({ state: "off", last: undefined });
const controls = new WeakMap<Runtime, ConsentControl>();

/**
 * The control of a runtime's consents: one for each runtime, whoever asks. It takes part at once where there was consent on the
 * last visit. The options are those of the first call.
 */
export function consentControl(runtime: Runtime, options: ConsentOptions = {}): ConsentControl {
  const known = controls.get(runtime);
  if (known !== undefined) return known;
  const control = createControl(runtime, options);
  controls.set(runtime, control);
  return control;
}

function createControl(runtime: Runtime, options: ConsentOptions): ConsentControl {
  const { storageKey = DEFAULT_KEY, storage = pageStorage(), ...participating } = options;
  const listeners = new Set<() => void>();
  let consents = parseConsents(storage?.getItem(storageKey));
  let status = OFF;
  let current: Participation | undefined;

  const show = (next: ConsentStatus): void => {
    if (next.state === status.state && next.last === status.last) return;
    status = next;
    for (const listener of listeners) listener();
  };

  const follow = async (participation: Participation): Promise<void> => {
    for await (const event of participation.events()) {
      if (participation !== current) return;
      if (event.type !== "state") show({ ...status, last: event });
      else if (event.state !== "stopped") show({ ...status, state: event.state });
    }
    if (participation !== current) return;
    current = undefined;
    show({ ...status, state: "ended" });
  };

  const followRuntime = async (): Promise<void> => {
    for await (const event of runtime.events()) {
      if (event.type === "forgotten") {
        accept(NONE);
        // Not an answer of "no": none.
        if (storage?.removeItem === undefined) storage?.setItem(storageKey, "");
        else storage.removeItem(storageKey);
      }
      const state = current === undefined ? undefined : stateAfter(event, status.state);
      if (state !== undefined) show({ ...status, state });
    }
  };

  /** Makes what runs fit the consents. */
  const apply = (): void => {
    if (!isConsent(consents)) {
      const stopped = current;
      current = undefined;
      // The device says why in a "problem" event where it fails.
      stopped?.stop().catch(() => undefined);
      show(OFF);
      return;
    }
    if (current === undefined) {
      current = runtime.participate({ ...participating, consent: consents });
      show({ state: "waiting", last: undefined });
      void follow(current);
    } else {
      current.consent(consents).catch(() => undefined);
    }
  };

  const accept = (next: Consents): void => {
    if (next.training === consents.training && next.telemetry === consents.telemetry) return;
    const before = consents;
    consents = next;
    try {
      apply();
    } catch (error) {
      consents = before;
      throw error;
    }
    for (const listener of listeners) listener();
  };

  void followRuntime();
  // Consent is one for all tabs of the page. Without a key everything was cleared: the answer too.
  globalThis.window?.addEventListener("storage", (event) => {
    if (event.key === storageKey || event.key === null) accept(parseConsents(event.newValue));
  });
  apply();

  return {
    get consents() {
      return consents;
    },
    get status() {
      return status;
    },
    change(change) {
      const { training = consents.training, telemetry = consents.telemetry } = change;
      const next = { training, telemetry };
      accept(next);
      storage?.setItem(storageKey, JSON.stringify(next));
    },
    subscribe(listener) {
      // Each subscription is its own, also where two share a function.
      const own = (): void => listener();
      listeners.add(own);
      return () => listeners.delete(own);
    },
  };
}

/** What a runtime's event makes of the state; undefined: nothing. */
function stateAfter(event: RuntimeEvent, state: ConsentStatus["state"]): ConsentStatus["state"] | undefined {
  if (event.type === "problem" && event.code === "runtime/locked") return "other-tab";
  if (event.type !== "connection") return undefined;
  if (event.state === "offline" && state !== "other-tab") return "offline";
  if (event.state === "connected" && (state === "offline" || state === "other-tab")) return "waiting";
  return undefined;
}

/** What was kept; anything else is no consent. */
function parseConsents(text: string | null | undefined): Consents {
  if (text === null || text === undefined) return NONE;
  try {
    const { training, telemetry } = JSON.parse(text) as Partial<Consents>;
    return { training: training === true, telemetry: telemetry === true };
  } catch {
    return NONE;
  }
}

/** Storage may be refused to a page by its browser: then the answer lasts as long as the page. */
function pageStorage(): ConsentOptions["storage"] {
  try {
    return globalThis.window?.localStorage;
  } catch {
    return undefined;
  }
}
