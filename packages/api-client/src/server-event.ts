import { failure } from "@tributary/core";
import type { StreamMessage } from "./event-stream-parser.ts";
import type {
  AlertView,
  AliasChange,
  AuditRecordView,
  ChannelChange,
  DevicesView,
  RolloutView,
  RoundView,
  StorageChange,
  SuspicionView,
  TaskActivityChange,
  TaskView,
  VersionView,
  WithdrawnVersionView,
} from "./views.ts";

/** What the audit log has a new record of. */
export interface RecordedChange {
  /** As the log names it: `key.rotate`, `model.notes`. */
  readonly action: AuditRecordView["action"];
  readonly model: string | null;
  readonly task: string | null;
}

interface EventData {
  readonly round: RoundView;
  readonly task: TaskView;
  readonly version: VersionView;
  /** A device was quarantined, or an operator released one. */
  readonly suspicion: SuspicionView;
  readonly channel: ChannelChange;
  readonly rollout: RolloutView;
  readonly withdrawal: WithdrawnVersionView;
  readonly alias: AliasChange;
  readonly alert: AlertView;
  /** Something was done, by somebody or by the coordinator itself: what it changed must be read again. */
  readonly record: RecordedChange;
  readonly devices: DevicesView;
  /** Of a running task, at most one a second. */
  readonly activity: TaskActivityChange;
  readonly storage: StorageChange;
  /** Events were lost: what was read before must be read again. */
  readonly reset: Readonly<Record<string, never>>;
}

export type ServerEventType = keyof EventData;

/**
 * One event of `GET /v1/events`. `id` resumes the stream after this event; it is null for an event that only tells
 * how things stand just now (counts of a round, devices, what a task waits for) and is not sent again.
 */
export type ServerEvent = {
  readonly [Type in ServerEventType]: {
    readonly type: Type;
    readonly id: number | null;
    readonly data: EventData[Type];
  };
}[ServerEventType];

const TYPES: Readonly<Record<ServerEventType, true>> = {
  round: true,
  task: true,
  version: true,
  suspicion: true,
  channel: true,
  rollout: true,
  withdrawal: true,
  alias: true,
  alert: true,
  record: true,
  devices: true,
  activity: true,
  storage: true,
  reset: true,
};

function isServerEventType(name: string): name is ServerEventType {
  return Object.hasOwn(TYPES, name);
}

/**
 * Reads one stream message as an event; `undefined` for an event name of a newer coordinator.
 * @throws TributaryError `http/bad-event` when the data is no JSON object or the id is no whole number
 */
export function parseServerEvent(message: StreamMessage): ServerEvent | undefined {
  if (!isServerEventType(message.event)) return undefined;
  const id = message.id === undefined ? null : Number(message.id);
  const detail = { event: message.event, id: message.id ?? null };
  if (id !== null && (message.id === "" || !Number.isSafeInteger(id) || id < 0)) {
    throw failure(
      "http/bad-event",
      `event stream: "${message.event}" has the id ${JSON.stringify(message.id)}, expected a whole number`,
      { detail },
    );
  }
  let data: unknown;
  try {
    data = JSON.parse(message.data);
  } catch (cause) {
    throw failure("http/bad-event", `event stream: "${message.event}" ${id} carries no JSON`, {
      detail,
      cause,
    });
  }
  if (typeof data !== "object" || data === null || Array.isArray(data)) {
    throw failure("http/bad-event", `event stream: "${message.event}" ${id} carries no JSON object`, {
      detail,
    });
  }
  return { type: message.event, id, data } as ServerEvent;
}
