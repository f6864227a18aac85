/** Consent, and what taking part is doing right now, in plain words. */
import { TributaryError } from "@tributary/core";
import type { Participation, ParticipationEvent, Runtime, RuntimeEvent } from "@tributary/runtime";
import { byId, setText } from "./elements.ts";

export interface ParticipationPanel {
  /** How many examples there are now. */
  setExamples(count: number): void;
  /** Connection and problems of the runtime. */
  onRuntimeEvent(event: RuntimeEvent): void;
}

export interface ParticipationPanelOptions {
  readonly runtime: Runtime;
  readonly task: string;
}

/** What the status line shows; also in `data-state`. */
type Shown =
  | "off"
  | "needs-examples"
  | "waiting"
  | "training"
  | "ready"
  | "sending"
  | "committed"
  | "refused"
  | "offline"
  | "other-tab";

const CONSENT_KEY = "tributary-consent";
const LOG_LINES = 20;

export function createParticipationPanel({ runtime, task }: ParticipationPanelOptions): ParticipationPanel {
  const toggle = byId<HTMLButtonElement>("consent");
  const status = byId("participation");
  const text = byId("participation-text");
  const log = byId("log");
  let consent = localStorage.getItem(CONSENT_KEY) === "yes";
  /** Undefined until they were counted. */
  let examples: number | undefined;
  let round = 0;
  let current: Participation | undefined;

  const show = (state: Shown, words: string): void => {
    status.dataset["state"] = state;
    setText(text, words);
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

  const follow = async (participation: Participation): Promise<void> => {
    for await (const event of participation.events()) {
      if (participation === current) tell(event);
    }
  };

  const tell = (event: ParticipationEvent): void => {
    switch (event.type) {
      case "state":
        // "waiting" keeps the outcome of the last round on show.
        if (event.state === "waiting" && status.dataset["state"] !== "committed") {
          show("waiting", "Waiting for the next round.");
        }
        if (event.state === "ready") show("ready", "Trained. Waiting to be asked for the result.");
        if (event.state === "reporting") show("sending", "Sending what the training changed.");
        return;
      case "checked-in":
        return;
      case "ineligible":
        show("waiting", `Not asked now, because of this device's ${event.reason}.`);
        return;
      case "offered":
        round = event.round;
        show("training", `Round ${round}: training on ${examplesText(examples ?? 0)} of yours.`);
        return;
      case "progress":
        show("training", `Round ${round}: training, step ${event.step} of ${event.steps}.`);
        return;
      case "trained":
        note(
          event.at,
          `Trained on ${examplesText(event.numExamples)} in ${Math.round(event.durationMs)} ms; ` +
            `${Math.round(100 * (event.accuracy ?? 0))} % were read right.`,
        );
        return;
      case "measured":
        note(event.at, `Measured on ${examplesText(event.numExamples)} of yours, and told only sums.`);
        return;
      case "secured":
        note(
          event.at,
          event.private
            ? `One of ${event.cohort} devices: the coordinator will see their sum, and no difference alone.`
            : `One of ${event.cohort} devices in a trial: so few that the sum is not private.`,
        );
        return;
      case "uploaded":
        note(
          event.at,
          event.masked
            ? `Sent the difference under masks, ${kilobytes(event.sizeBytes)}.`
            : `Sent the difference, ${kilobytes(event.sizeBytes)}. This task is not summed securely: the coordinator sees it.`,
        );
        return;
      case "outcome":
        tellOutcome(event);
        return;
      case "failed":
        note(event.at, `Round ${round} went on without this device: ${plainReason(event.code)}`);
        show("waiting", "Waiting for the next round.");
        return;
      default: {
        const never: never = event;
        return never;
      }
    }
  };

  const tellOutcome = (event: Extract<ParticipationEvent, { type: "outcome" }>): void => {
    const which = round === 0 ? "The round" : `Round ${round}`;
    switch (event.result) {
      case "committed": {
        const version = event.version === undefined ? "A new version" : `Version ${event.version}`;
        show("committed", `${which} is done. ${version} has learned from you too.`);
        note(
          event.at,
          `${which} committed${event.version === undefined ? "" : ` as version ${event.version}`}.`,
        );
        return;
      }
      case "not-needed":
        show("waiting", "Enough devices were faster. Waiting for the next round.");
        return;
      case "refused":
        show("refused", `${which}: the result was refused. Waiting for the next round.`);
        note(event.at, `${which}: refused (${event.code ?? "no reason given"}).`);
        return;
      default:
        show("waiting", `${which} ended without a new version. Waiting for the next round.`);
        note(event.at, `${which} ended: ${event.result}.`);
    }
  };

  /** Makes what runs fit consent and examples. */
  const apply = (): void => {
    toggle.setAttribute("aria-checked", String(consent));
    if (examples === undefined) return;
    const wanted = consent && examples > 0;
    if (wanted && current === undefined) {
      show("waiting", "Waiting for the next round.");
      current = runtime.participate({ consent: true, task });
      follow(current).catch((error: unknown) => {
        show("refused", TributaryError.is(error) ? error.publicMessage : String(error));
      });
    }
    if (!wanted && current !== undefined) {
      const stopped = current;
      current = undefined;
      void stopped.stop();
    }
    if (!consent) show("off", "Off. Nothing about your examples is sent.");
    else if (examples === 0) {
      show(
        "needs-examples",
        "You have no examples yet. Draw a digit and say what it is; then training can begin.",
      );
    }
  };

  toggle.disabled = false;
  toggle.addEventListener("click", () => {
    consent = !consent;
    localStorage.setItem(CONSENT_KEY, consent ? "yes" : "no");
    apply();
  });
  // Consent is one for all tabs of the page.
  addEventListener("storage", (event) => {
    if (event.key !== CONSENT_KEY) return;
    consent = event.newValue === "yes";
    apply();
  });
  apply();

  return {
    setExamples(count) {
      examples = count;
      apply();
    },
    onRuntimeEvent(event) {
      if (current === undefined) return;
      const otherTab = status.dataset["state"] === "other-tab";
      if (event.type === "connection" && event.state === "offline" && !otherTab) {
        const retry =
          event.retryInMs === undefined
            ? ""
            : ` Trying again in about ${Math.ceil(event.retryInMs / 1000)} s.`;
        show("offline", `No connection to the coordinator.${retry}`);
      }
      if (event.type === "connection" && event.state === "connected") {
        const state = status.dataset["state"];
        if (state === "offline" || otherTab) show("waiting", "Waiting for the next round.");
      }
      if (event.type === "problem" && event.code === "runtime/locked") {
        show("other-tab", "Another tab of this page takes part. This one takes over when it is closed.");
      }
    },
  };
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
