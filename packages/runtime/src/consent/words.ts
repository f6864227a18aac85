import type { ParticipationEvent } from "../runtime.ts";
import type { ConsentStatus } from "./control.ts";

/** Everything the element says that an app may want to say in its own language. */
export interface ConsentTexts {
  readonly title: string;
  readonly trainingTitle: string;
  readonly training: string;
  readonly telemetryTitle: string;
  readonly telemetry: string;
  readonly detailsTitle: string;
  /** Pairs of a heading and what is to be known. */
  readonly details: readonly (readonly [string, string])[];
}

export const CONSENT_TEXTS: ConsentTexts = {
  title: "Help this app learn",
  trainingTitle: "Train on this device",
  training:
    "When on, the model is trained here on the examples you gave, and only the difference the training made is sent.",
  telemetryTitle: "Share how it runs",
  telemetry:
    "When on, counts are added to those of many other devices: how long the model takes, how sure it is, how often it was right, and how the numbers that it is fed are spread.",
  detailsTitle: "What stays here, and what is sent?",
  details: [
    ["Stays here", "Your examples, what the model answers you, and the key that stands for this device."],
    [
      "Is sent",
      "What training changed in the model. It is added to that of other devices under masks, so that only the sum can be read; where an app has opted out of that, it is said below when it happens.",
    ],
    ["When", "Only while a switch is on, and for training only if this device has examples."],
    [
      "Taking it back",
      "Switch it off: a training under way is cancelled and what was counted is forgotten. What was added to a sum before cannot be taken out of it.",
    ],
  ],
};

/** A status as one plain sentence or two. */
export function statusWords({ state, last }: ConsentStatus): string {
  switch (state) {
    case "off":
      return "Off. Nothing about your examples is sent.";
    case "offline":
      return "There is no connection. It goes on when there is one.";
    case "other-tab":
      return "Another tab of this page takes part. This one takes over when it is closed.";
    case "ended":
      return "Taking part has ended here. Switch it off and on to try again.";
    case "training":
      return last?.type === "progress" ? `Training, step ${last.step} of ${last.steps}.` : "Training.";
    case "ready":
      return "Trained. Waiting to be asked for the result.";
    case "reporting":
      return "Sending what the training changed.";
    case "waiting":
      return last === undefined ? "Waiting for the next round." : lastWords(last);
  }
}

function lastWords(event: ParticipationEvent): string {
  switch (event.type) {
    case "ineligible":
      return `Not asked now, because of this device's ${event.reason}.`;
    case "uploaded":
      return event.masked
        ? "Sent under masks. Waiting for the others."
        : "Sent. This app has opted out of secure sums: its coordinator sees what this device sent.";
    case "secured":
      return event.private
        ? `One of ${event.cohort} devices: only their sum will be seen.`
        : `One of ${event.cohort} devices in a trial: so few that the sum is not private.`;
    case "outcome":
      return outcomeWords(event);
    case "failed":
      return `The last round went on without this device (${event.code}). Waiting for the next.`;
    case "state":
    case "checked-in":
    case "offered":
    case "progress":
    case "trained":
    case "measured":
      return "Waiting for the next round.";
  }
}

function outcomeWords({ result, version, code }: Extract<ParticipationEvent, { type: "outcome" }>): string {
  if (result === "committed") {
    return version === undefined
      ? "The last round is done. Thank you."
      : `Version ${version} has learned from you too.`;
  }
  if (result === "buffered") return "What this device learned waits for the next version.";
  if (result === "not-needed") return "Enough devices were faster. Waiting for the next round.";
  if (result === "refused") {
    return `The last result was refused${code === undefined ? "" : ` (${code})`}. Waiting for the next round.`;
  }
  return "The last round ended without a new version. Waiting for the next.";
}
