import type { EventRecord, IdempotentRequestRecord, NewEvent } from "./event-records.ts";
import type { JsonValue } from "./json.ts";

/** Requests that must not be done twice. */
export interface IdempotentRequestRepository {
  /** @throws `store/conflict` where the id is taken */
  begin(request: Pick<IdempotentRequestRecord, "id" | "request" | "at">): Promise<void>;
  get(id: string): Promise<IdempotentRequestRecord | undefined>;
  /** @param answer - null: what was answered is not kept */
  finish(id: string, bodyDigest: string | null, answer: IdempotentRequestRecord["answer"]): Promise<void>;
  /** It may be sent again, as nothing came of it. */
  forget(id: string): Promise<void>;
  prune(begunBefore: number): Promise<void>;
  count(): Promise<number>;
}

export interface EventRepository {
  /** Logs events in order; publish what it returns on the bus, topic `event`, once the transaction is through. */
  append(events: readonly NewEvent[], at: number): Promise<EventRecord[]>;
  /** Events with a greater id, oldest first. */
  after(id: number, limit: number): Promise<EventRecord[]>;
  /** Ids of the oldest kept and the newest ever logged event; `newest` is 0 when none ever was. */
  bounds(): Promise<{ readonly oldest: number; readonly newest: number }>;
  /** Forgets all but the newest `keep`. */
  prune(keep: number): Promise<void>;
}

/** Small named values that outlive the process. */
export interface SettingsRepository {
  get(key: string): Promise<JsonValue | undefined>;
  set(key: string, value: JsonValue): Promise<void>;
}
