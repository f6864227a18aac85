import type { SpanContext, Tracer } from "@opentelemetry/api";
import type { StrategyRegistry } from "@tributary/aggregation";
import type { DeviceId, Env } from "@tributary/core";
import type { ServerMessage } from "@tributary/protocol";
import type { BlobStore } from "../ports/blob-store.ts";
import type { Bus } from "../ports/bus.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { CertificateLog, Releases } from "../rooms.ts";
import type { SteadyNow } from "../steady-time.ts";
import type { Evaluator } from "./evaluation.ts";
import type { JournalWriter } from "./journal-writer.ts";
import type { Unmasker } from "./secure/unmasker.ts";

/** What rounds share: threads that they hand their heavy work to, and who tells how they fare. */
export interface Workers {
  readonly evaluator: Evaluator;
  readonly unmasker: Unmasker;
  /** What a task waits for may have changed. */
  readonly activityChanged: () => void;
}

/** What rounds need of the rest of the coordinator. */
export interface RoundServices {
  readonly env: Env;
  /** What deadlines are kept by. */
  readonly steadyNow: SteadyNow;
  readonly journals: JournalWriter;
  readonly store: MetadataStore;
  readonly blobs: BlobStore;
  readonly bus: Pick<Bus, "publish" | "subscribe">;
  readonly releases: Pick<Releases, "release">;
  readonly strategies: StrategyRegistry;
  /** Whether what the server optimizer is given of a round is kept with the version. */
  readonly keepAggregates: boolean;
  /** What shows the members of a secure cohort that the others were admitted in the open. */
  readonly certificateLog: Pick<CertificateLog, "requireLogged" | "prove">;
  /** To a connected device, now; the gateway's `send`. */
  readonly send: (device: DeviceId, message: ServerMessage) => boolean;
  /** What makes the spans of rounds. @defaultValue the process's, which makes none unless somebody set one */
  readonly tracer?: Tracer;
  /** The span of a device's connection; the gateway's `connectionOf`. */
  readonly connectionOf?: (device: DeviceId) => SpanContext | undefined;
  /** The number of devices in training changed; the gateway's `countsChanged`. */
  readonly countsChanged: () => void;
}
