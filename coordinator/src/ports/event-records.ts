import type { JsonValue } from "./json.ts";

/** A request with an idempotency key, and what was answered to it. */
export interface IdempotentRequestRecord {
  /** A hash of the key and of who sent it. */
  readonly id: string;
  /** Its method and path. */
  readonly request: string;
  /** SHA-256; null while it is done. */
  readonly bodyDigest: string | null;
  readonly at: number;
  /** Null while it is done, and where the answer is not kept. */
  readonly answer: {
    readonly status: number;
    readonly contentType: string | null;
    readonly body: string;
  } | null;
}

/** An event to log: `type` is the SSE event name, `data` the view it carries (`roundEvent` and its siblings make them). */
export interface NewEvent {
  readonly type:
    | "rollout"
    | "withdrawal"
    | "round"
    | "task"
    | "version"
    | "suspicion"
    | "channel"
    | "alias"
    | "alert";
  readonly data: JsonValue;
}

/** A logged event. Ids grow, and are never used twice, also over restarts. */
export interface EventRecord extends NewEvent {
  readonly id: number;
  readonly at: number;
}
