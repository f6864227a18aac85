import type { ParticipationEvent, RuntimeEvent } from "@tributary/runtime";

/** One JSON object a line: the event as it is, `at` as ISO time. */
export function jsonLine(event: RuntimeEvent): string {
  return JSON.stringify({ ...event, at: new Date(event.at).toISOString() });
}

/** A line for people, or `undefined` for what only a program wants to know. */
export function humanLine(event: RuntimeEvent): string | undefined {
  const text = describe(event);
  return text === undefined ? undefined : `${new Date(event.at).toISOString().slice(11, 19)}  ${text}`;
}

function describe(event: RuntimeEvent): string | undefined {
  switch (event.type) {
    case "connection": {
      if (event.state === "connecting") return undefined;
      const retry = event.retryInMs === undefined ? "" : `, next try in ${seconds(event.retryInMs)}`;
      return `${event.state}${event.code === undefined ? "" : ` (${event.code})`}${retry}`;
    }
    case "enrolled":
      return `enrolled as ${event.deviceId}, until ${new Date(event.expiresAtMs).toISOString()}`;
    case "progress":
      return event.part === "model" && event.receivedBytes === event.totalBytes
        ? `downloaded ${event.model} ${event.version}, ${event.totalBytes} bytes${event.totalBytes < event.fullBytes ? ` instead of ${event.fullBytes}` : ""}`
        : undefined;
    case "update-available":
      return `${event.model} ${event.version} is available`;
    case "running": {
      const after =
        event.appliedAfterMs === null ? "" : `, ${seconds(event.appliedAfterMs)} after its release`;
      return `running ${event.model} ${event.version} on ${event.state.engine}${after}`;
    }
    case "update-refused":
      return `${event.model} ${event.version} is not used here, ${event.code}: ${event.message}`;
    case "engine-changed":
      return `${event.model} ${event.state.version} goes on on ${event.state.engine}`;
    case "participation":
      return describeParticipation(event.event);
    case "personalising":
      return undefined;
    case "personal":
      return describePersonal(event);
    case "forgotten":
      return "forgotten: examples, keys and all that was learned from them are erased";
    case "problem":
      return `problem ${event.code}: ${event.message}`;
  }
}

function describePersonal(event: Extract<RuntimeEvent, { readonly type: "personal" }>): string {
  switch (event.change) {
    case "adopted":
      return `${event.model} answers with weights of this device's own`;
    case "rejected":
      return `${event.model} learned nothing here that it answers better by`;
    case "kept":
      return `${event.model} ${event.version} answers with weights of this device's own`;
    case "dropped":
      return `${event.model} has no weights of this device's own any more: ${event.reason}`;
  }
}

function describeParticipation(event: ParticipationEvent): string | undefined {
  switch (event.type) {
    case "state":
    case "progress":
      return undefined;
    case "checked-in":
      return `checked in for ${event.task} with ${event.examples} examples`;
    case "ineligible":
      return `not asked for ${event.task} now: ${event.reason}`;
    case "offered":
      return `round ${event.round} of ${event.task}: training from version ${event.baseVersion}`;
    case "trained":
      return `trained on ${event.numExamples} examples in ${seconds(event.durationMs)}, loss ${event.loss.toFixed(3)}${accuracyText(event.accuracy)}`;
    case "measured":
      return event.kind === "telemetry"
        ? "told how the model runs here"
        : `measured ${event.numExamples} examples in ${seconds(event.durationMs)}`;
    case "secured":
      return `in a secure cohort of ${event.cohort}${event.private ? "" : ", a trial: not private"}`;
    case "uploaded":
      return `uploaded ${event.sizeBytes} bytes${event.masked ? " under masks" : ", which the coordinator sees: the task is not summed securely"}`;
    case "outcome": {
      const version = event.version === undefined ? "" : `, version ${event.version}`;
      return `the round was ${event.result}${version}${event.code === undefined ? "" : ` (${event.code})`}`;
    }
    case "failed":
      return `failed: ${event.code}`;
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function accuracyText(accuracy: number | null): string {
  return accuracy === null ? "" : `, accuracy ${(accuracy * 100).toFixed(1)} %`;
}
