/** Consent, and what taking part is doing right now, in plain words. */
import type { ParticipationEvent, Runtime, RuntimeEvent } from "@tributary/runtime";
import { type ConsentElement, defineConsentElement, statusWords } from "@tributary/runtime/consent";
import { byId, setText } from "./elements.ts";

export interface ParticipationPanel {
  /** How many examples there are now. */
  setExamples(count: number): void;
  /** When the connection is tried again. */
  onRuntimeEvent(event: RuntimeEvent): void;
}

export interface ParticipationPanelOptions {
  readonly runtime: Runtime;
  readonly task: string;
}

const LOG_LINES = 20;

// What it asks can be read while the model loads.
defineConsentElement();
const element = byId<ConsentElement>("consent");
element.texts = {
  title: "Take part in training",
  training:
    "When on, this page trains the model on your examples, here, and sends only the difference the training made. You can switch it off at any time.",
};

export function createParticipationPanel({ runtime, task }: ParticipationPanelOptions): ParticipationPanel {
  const control = element.follow(runtime, { task });
  const status = byId("participation");
  const text = byId("participation-text");
  const log = byId("log");
  /** Undefined until they were counted. */
  let examples: number | undefined;
  let retry = "";
  let round = "The round";
  let told: ParticipationEvent | undefined;

  const show = (): void => {
    const { state, last } = control.status;
    const wanting = state !== "off" && control.consents.training && examples === 0;
    status.dataset["state"] = wanting ? "needs-examples" : tone(state, last);
    if (wanting) {
      setText(text, "You have no examples yet. Draw a digit and say what it is; then training can begin.");
    } else {
      setText(text, statusWords(control.status) + (state === "offline" ? retry : ""));
    }
  };

  const note = (at: number, words: string): void => {
    const line = document.createElement("li");
    const time = document.createElement("time");
    time.textContent = new Date(at).toLocaleTimeString([], { timeStyle: "medium" });
    const what = document.createElement("span");
    what.textContent = words;
    line.append(time, what);
    log.prepend(line);
    while (log.childElementCount > LOG_LINES) log.lastElementChild!.remove();
    log.hidden = false;
  };

  control.subscribe(() => {
    show();
    const { last } = control.status;
    if (last === undefined || last === told) return;
    told = last;
    if (last.type === "offered") round = `Round ${last.round}`;
    const words = logWords(last, round);
    if (words !== undefined) note(last.at, words);
  });
  show();

  return {
    setExamples(count) {
      examples = count;
      show();
    },
    onRuntimeEvent(event) {
      if (event.type !== "connection") return;
      const inMs = event.state === "offline" ? event.retryInMs : undefined;
      retry = inMs === undefined ? "" : ` Trying again in about ${Math.ceil(inMs / 1000)} s.`;
      show();
    },
  };
}

/** The state for the eye: how the last round ended shows until the next begins. */
function tone(state: string, last: ParticipationEvent | undefined): string {
  if (state !== "waiting" || last?.type !== "outcome") return state;
  return last.result === "committed" || last.result === "refused" ? last.result : state;
}

/** A line for what a person may want to look up later; undefined for what passes. */
function logWords(event: ParticipationEvent, round: string): string | undefined {
  switch (event.type) {
    case "state":
    case "checked-in":
    case "ineligible":
    case "offered":
    case "progress":
      return undefined;
    case "trained":
      return (
        `Trained on ${examplesText(event.numExamples)} in ${Math.round(event.durationMs)} ms; ` +
        `${Math.round(100 * (event.accuracy ?? 0))} % were read right.`
      );
    case "measured":
      return `Measured on ${examplesText(event.numExamples)} of yours, and told only sums.`;
    case "secured":
      return event.private
        ? `One of ${event.cohort} devices: the coordinator will see their sum, and no difference alone.`
        : `One of ${event.cohort} devices in a trial: so few that the sum is not private.`;
    case "uploaded":
      return event.masked
        ? `Sent the difference under masks, ${kilobytes(event.sizeBytes)}.`
        : `Sent the difference, ${kilobytes(event.sizeBytes)}. This task is not summed securely: the coordinator sees it.`;
    case "outcome":
      if (event.result === "not-needed") return undefined;
      if (event.result === "refused") return `${round}: refused (${event.code ?? "no reason given"}).`;
      if (event.result !== "committed") return `${round} ended: ${event.result}.`;
      return `${round} committed${event.version === undefined ? "" : ` as version ${event.version}`}.`;
    case "failed":
      return `${round} went on without this device: ${plainReason(event.code)}`;
  }
}

function examplesText(count: number): string {
  return count === 1 ? "1 example" : `${count} examples`;
}

function kilobytes(bytes: number): string {
  return bytes < 10_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${Math.round(bytes / 1000)} kB`;
}

function plainReason(code: string): string {
  if (code === "federation/no-examples") return "there were no examples.";
  if (code.startsWith("transport/")) return "the connection failed.";
  return `${code}.`;
}
