import type { RoundId } from "@tributary/core";
import type {
  DeviceMessage,
  Offer,
  Outcome,
  Refusal,
  RequestReport,
  ServerMessage,
} from "@tributary/protocol";
import type {
  Activity,
  LocalUpdate,
  ParticipantConfig,
  ParticipantEffect,
  ParticipantEvent,
  ParticipantInput,
  ParticipantState,
  ParticipantStep,
} from "./participant-types.ts";

/** A device that is not connected and has no consent. */
export function initialParticipant(): ParticipantState {
  return {
    connected: false,
    consent: { granted: false, examples: 0 },
    checkedIn: false,
    checkInAt: null,
    activity: { type: "idle" },
  };
}

/**
 * A round, device half: checks in while there is consent and something to learn from, trains what it is offered,
 * uploads when asked. Training goes on without a connection; an update is kept until its round is over.
 * Pure: the same inputs give the same states and effects. Nothing a server says can make it throw.
 */
export function stepParticipant(
  config: ParticipantConfig,
  state: ParticipantState,
  input: ParticipantInput,
): ParticipantStep {
  const draft = new Draft(config, state, input.now);
  expire(draft);
  apply(draft, input);
  checkIn(draft);
  return draft.finish(input.type === "tick");
}

function apply(draft: Draft, input: ParticipantInput): void {
  switch (input.type) {
    case "connected":
      draft.set({ connected: true, checkedIn: false, checkInAt: null });
      checkIn(draft);
      // A `ready` may have been lost with the old connection; the coordinator counts it once.
      if (draft.activity.type === "ready") sendReady(draft, draft.activity.offer, draft.activity.update);
      return;
    case "disconnected":
      return draft.set({ connected: false, checkedIn: false, checkInAt: null });
    case "message":
      return receive(draft, input.message);
    case "trained": {
      const { activity } = draft;
      if (activity.type !== "training" || activity.offer.roundId !== input.roundId) {
        return draft.effect({ type: "discard-update", roundId: input.roundId });
      }
      const { numExamples, updateDigest, sizeBytes, metrics } = input;
      const update: LocalUpdate = { numExamples, updateDigest, sizeBytes, metrics };
      draft.go({ type: "ready", offer: activity.offer, update });
      draft.notify({ type: "trained", roundId: input.roundId, update });
      return sendReady(draft, activity.offer, update);
    }
    case "train-failed":
      if (draft.activity.type !== "training" || draft.activity.offer.roundId !== input.roundId) return;
      draft.go({ type: "idle" });
      draft.send({ type: "decline", roundId: input.roundId, code: input.code });
      return draft.notify({ type: "failed", roundId: input.roundId, code: input.code });
    case "uploaded": {
      const { activity } = draft;
      if (activity.type !== "uploading" || activity.offer.roundId !== input.roundId) return;
      draft.go({ type: "reported", offer: activity.offer, update: activity.update });
      return draft.notify({
        type: "uploaded",
        roundId: input.roundId,
        sizeBytes: activity.update.sizeBytes,
      });
    }
    case "upload-failed":
      return uploadFailed(draft, input);
    case "consent":
      draft.set({ consent: { granted: input.granted, examples: input.examples } });
      if (isWilling(draft.state)) return;
      draft.drop();
      if (draft.state.checkedIn) draft.send({ type: "leave", task: draft.config.task });
      return draft.set({ checkedIn: false, checkInAt: null });
    case "tick":
      return;
    default: {
      const never: never = input;
      throw new TypeError(`participant: no such input ${String(never)}`);
    }
  }
}

function receive(draft: Draft, message: ServerMessage): void {
  switch (message.type) {
    case "offer":
      if (message.task === draft.config.task) receiveOffer(draft, message);
      return;
    case "request-report":
      return receiveRequest(draft, message);
    case "outcome":
      return receiveOutcome(draft, message);
    case "wait":
      if (message.task === draft.config.task) {
        draft.set({ checkInAt: draft.now + Math.max(MIN_WAIT_MS, message.retryAfterMs) });
      }
      return;
    case "refusal":
      return receiveRefusal(draft, message);
    case "challenge":
    case "welcome":
    case "release":
    case "heartbeat-ack":
      return;
    default: {
      const never: never = message;
      throw new TypeError(`participant: no such message ${String(never)}`);
    }
  }
}

/** A coordinator that says "at once" again and again must not turn into a busy loop. */
const MIN_WAIT_MS = 250;

/** How long to wait for a task that is not there yet, where the coordinator does not say. */
const UNKNOWN_TASK_RETRY_MS = 5_000;

/** A task may begin later than its devices: a check-in for one that is unknown is said again. */
function receiveRefusal(draft: Draft, refusal: Refusal): void {
  const named = refusal.detail.find(({ key }) => key === "task")?.value;
  if (refusal.code !== "federation/unknown-task" || named !== draft.config.task) return;
  const waitMs = Math.max(MIN_WAIT_MS, refusal.retryAfterMs ?? UNKNOWN_TASK_RETRY_MS);
  if (draft.state.checkedIn) draft.set({ checkInAt: draft.now + waitMs });
}

function receiveOffer(draft: Draft, offer: Offer): void {
  const { activity } = draft;
  if (activity.type !== "idle" && activity.offer.roundId === offer.roundId) {
    if (activity.type === "ready") sendReady(draft, activity.offer, activity.update);
    return;
  }
  const { granted, examples } = draft.state.consent;
  if (!granted) {
    return draft.send({ type: "decline", roundId: offer.roundId, code: "federation/no-consent" });
  }
  if (examples === 0) {
    return draft.send({ type: "decline", roundId: offer.roundId, code: "federation/no-examples" });
  }
  if (draft.now >= offer.trainDeadlineMs) {
    return draft.send({ type: "decline", roundId: offer.roundId, code: "round/deadline-passed" });
  }
  // A task has one round at a time: a new one means that the old one is over, whatever got lost on the way.
  draft.drop();
  draft.set({ checkInAt: null });
  draft.go({ type: "training", offer });
  draft.notify({
    type: "offered",
    roundId: offer.roundId,
    round: offer.round,
    baseVersion: offer.baseVersion,
  });
  draft.effect({ type: "train", offer });
}

function receiveRequest(draft: Draft, request: RequestReport): void {
  const { activity } = draft;
  if (
    activity.type === "idle" ||
    activity.type === "training" ||
    activity.offer.roundId !== request.roundId
  ) {
    // Said to another life of this device: the update is gone, or not there yet.
    return draft.send({ type: "decline", roundId: request.roundId, code: "federation/update-lost" });
  }
  const { offer, update } = activity;
  const target = { path: request.uploadPath, deadlineMs: request.deadlineMs };
  if (activity.type === "uploading") {
    // Asked again after a reconnect; the upload under way goes on.
    return draft.go({ ...activity, ...target });
  }
  // In `reported` the coordinator has not counted what it answered: sending it again counts once.
  draft.go({ type: "uploading", offer, update, ...target, failures: 0, retryAt: null });
  draft.notify({ type: "reporting", roundId: offer.roundId });
  upload(draft);
}

function receiveOutcome(draft: Draft, message: Outcome): void {
  const { activity } = draft;
  if (activity.type === "idle" || activity.offer.roundId !== message.roundId) return;
  draft.drop();
  draft.notify({
    type: "outcome",
    roundId: message.roundId,
    result: message.result,
    ...(message.version === undefined ? {} : { version: message.version }),
    ...(message.code === undefined ? {} : { code: message.code }),
  });
}

function uploadFailed(
  draft: Draft,
  input: { readonly roundId: RoundId; readonly code: string; readonly retryable: boolean },
): void {
  const { activity, config } = draft;
  if (activity.type !== "uploading" || activity.offer.roundId !== input.roundId) return;
  const delay = Math.min(config.maxRetryDelayMs, config.retryDelayMs * 2 ** activity.failures);
  const retryAt = draft.now + delay;
  if (input.retryable && retryAt < activity.deadlineMs) {
    return draft.go({ ...activity, failures: activity.failures + 1, retryAt });
  }
  draft.go({ type: "idle" });
  draft.effect({ type: "discard-update", roundId: input.roundId });
  draft.notify({ type: "failed", roundId: input.roundId, code: input.code });
}

/** What time alone ends or begins. */
function expire(draft: Draft): void {
  const { activity, now, config } = draft;
  switch (activity.type) {
    case "training":
      if (now >= activity.offer.trainDeadlineMs) late(draft, activity.offer.roundId);
      return;
    case "ready":
    case "reported":
      if (now >= activity.offer.trainDeadlineMs + config.keepReadyMs) late(draft, activity.offer.roundId);
      return;
    case "uploading":
      if (now >= activity.deadlineMs) late(draft, activity.offer.roundId);
      else if (activity.retryAt !== null && now >= activity.retryAt) {
        draft.go({ ...activity, retryAt: null });
        upload(draft);
      }
      return;
    case "idle":
      return;
    default: {
      const never: never = activity;
      throw new TypeError(`participant: no such activity ${String(never)}`);
    }
  }
}

function late(draft: Draft, roundId: RoundId): void {
  const { type } = draft.activity;
  draft.drop();
  // An update that was reported is most likely part of the sum; only the news about it got lost.
  if (type !== "reported") draft.notify({ type: "failed", roundId, code: "round/deadline-passed" });
}

function upload(draft: Draft): void {
  const { activity } = draft;
  if (activity.type !== "uploading") return;
  draft.effect({
    type: "upload",
    roundId: activity.offer.roundId,
    path: activity.path,
    digest: activity.update.updateDigest,
    deadlineMs: activity.deadlineMs,
  });
}

function sendReady(draft: Draft, offer: Offer, update: LocalUpdate): void {
  const { numExamples, updateDigest, sizeBytes } = update;
  draft.send({ type: "ready", roundId: offer.roundId, numExamples, updateDigest, sizeBytes });
}

/** Makes sure that a check-in stands while there is consent, a connection and something to learn from. */
function checkIn(draft: Draft): void {
  const { connected, checkedIn, checkInAt, consent } = draft.state;
  if (!connected || !isWilling(draft.state)) return;
  const asked = checkInAt !== null && draft.now >= checkInAt && draft.activity.type === "idle";
  if (checkedIn && !asked) return;
  draft.set({ checkedIn: true, checkInAt: null });
  draft.send({ type: "check-in", task: draft.config.task, examples: consent.examples });
  if (!checkedIn) draft.notify({ type: "checked-in", examples: consent.examples });
}

function isWilling({ consent }: ParticipantState): boolean {
  return consent.granted && consent.examples > 0;
}

/** A step under way: the next state and its effects, gathered. */
class Draft {
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

  /** Ends whatever is going on and lets its data go. */
  drop(): void {
    const { activity } = this;
    if (activity.type === "idle") return;
    const { roundId } = activity.offer;
    if (activity.type === "training") this.effect({ type: "cancel-training", roundId });
    else {
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
    default: {
      const never: never = activity;
      throw new TypeError(`participant: no such activity ${String(never)}`);
    }
  }
}
