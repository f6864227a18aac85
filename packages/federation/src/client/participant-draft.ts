import type { DeviceMessage } from "@tributary/protocol";
import type {
  Activity,
  ParticipantConfig,
  ParticipantEffect,
  ParticipantEvent,
  ParticipantState,
  ParticipantStep,
} from "./participant-types.ts";

/** A step under way: the next state and its effects, gathered. */
export class ParticipantDraft {
  readonly config: ParticipantConfig;
  readonly now: number;
  state: ParticipantState;
  readonly #before: number | null;
  readonly #effects: ParticipantEffect[] = [];

  constructor(config: ParticipantConfig, state: ParticipantState, now: number) {
    this.config = config;
    this.now = now;
    this.state = state;
    this.#before = nextWake(config, state);
  }

  get activity(): Activity {
    return this.state.activity;
  }

  set(change: Partial<ParticipantState>): void {
    this.state = { ...this.state, ...change };
  }

  go(activity: Activity): void {
    this.set({ activity });
  }

  effect(effect: ParticipantEffect): void {
    this.#effects.push(effect);
  }

  notify(event: ParticipantEvent): void {
    this.effect({ type: "notify", event });
  }

  send(message: DeviceMessage): void {
    if (this.state.connected) this.effect({ type: "send", message });
  }

  /** Before a try that follows so many failures. */
  retryDelayMs(failures: number): number {
    return Math.min(this.config.maxRetryDelayMs, this.config.retryDelayMs * 2 ** failures);
  }

  /** Ends whatever is going on and lets its data go. */
  drop(): void {
    const { activity } = this;
    if (activity.type === "idle") return;
    const { roundId } = activity.offer;
    if (activity.type === "training") this.effect({ type: "cancel-training", roundId });
    else {
      if (activity.type === "securing" && !activity.answered && activity.retryAt === null) {
        this.effect({ type: "cancel-secure-step", roundId, step: activity.request.step });
      }
      if (activity.type === "uploading" && activity.retryAt === null) {
        this.effect({ type: "cancel-upload", roundId });
      }
      this.effect({ type: "discard-update", roundId });
    }
    this.go({ type: "idle" });
  }

  /** @param wakeAgain the driver's timer is spent: ask for it again, should it have fired early. */
  finish(wakeAgain: boolean): ParticipantStep {
    const at = nextWake(this.config, this.state);
    if (at !== null && (wakeAgain || at !== this.#before)) this.effect({ type: "wake-at", at });
    return { state: this.state, effects: this.#effects };
  }
}

/** The next moment at which time alone changes something. */
function nextWake(config: ParticipantConfig, state: ParticipantState): number | null {
  const { activity, checkInAt, connected } = state;
  switch (activity.type) {
    case "idle":
      return connected && isWilling(state) ? checkInAt : null;
    case "training":
      return activity.offer.trainDeadlineMs;
    case "ready":
    case "reported":
      return activity.offer.trainDeadlineMs + config.keepReadyMs;
    case "uploading":
      return Math.min(activity.deadlineMs, activity.retryAt ?? activity.deadlineMs);
    case "securing":
      return Math.min(stepEndsAt(activity, config), activity.retryAt ?? Infinity);
    default: {
      const never: never = activity;
      throw new TypeError(`participant: no such activity ${String(never)}`);
    }
  }
}

/** Consent, and something to learn from. */
export function isWilling({ consent }: ParticipantState): boolean {
  return consent.granted && consent.examples > 0;
}

/** An answer waits for what the cohort makes of it; one that is not there is late at the step's deadline. */
export function stepEndsAt(
  { request, answered }: Extract<Activity, { type: "securing" }>,
  config: ParticipantConfig,
): number {
  return request.deadlineMs + (answered ? config.keepReadyMs : 0);
}
