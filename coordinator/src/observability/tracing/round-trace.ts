import {
  context,
  createContextKey,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Span,
  type SpanContext,
  type Tracer,
} from "@opentelemetry/api";
import type { DeviceId } from "@tributary/core";
import type { RoundConfig, RoundState } from "@tributary/federation";
import type { RoundRecord } from "../../ports/round-records.ts";
import { outsideRequest } from "../logging/request-context.ts";
import { monotonicMs, spanTime } from "./span-clock.ts";
import { spanContextOf, traceFields } from "./traced.ts";

/** What a round waits for, by the phase that it is in. */
const PHASES: Readonly<Partial<Record<RoundState["phase"], string>>> = {
  selecting: "gateway.check-in",
  training: "gateway.training",
  reporting: "gateway.upload",
  securing: "gateway.secure-exchange",
  aggregating: "aggregation",
};

const ROUND_TRACE = createContextKey("tributary.round-trace");

export interface RoundTraceOptions {
  readonly tracer: Tracer;
  readonly config: RoundConfig;
  readonly model: string;
  readonly baseVersion: number;
  /** The span of a device's connection. */
  readonly connectionOf: (device: DeviceId) => SpanContext | undefined;
}

/**
 * One round as one trace: a span for each phase, and within the last one what the round makes. Messages of devices are no spans of it; the
 * phase that they came in has links to theirs, that of the connection or of the upload.
 */
export class RoundTrace {
  readonly #tracer: Tracer;
  readonly #connectionOf: RoundTraceOptions["connectionOf"];
  readonly #root: Span;
  readonly #context: Context;
  #phase: Span | undefined;
  #phaseName: RoundState["phase"] | undefined;
  #phaseContext: Context;
  #fold: Span | undefined;
  #folded = { updates: 0, batches: 0, busyMs: 0 };

  constructor({ tracer, config, model, baseVersion, connectionOf }: RoundTraceOptions) {
    this.#tracer = tracer;
    this.#connectionOf = connectionOf;
    this.#root = tracer.startSpan("round", {
      root: true,
      startTime: spanTime(),
      attributes: {
        "tributary.round.id": config.roundId,
        "tributary.round.number": config.round,
        "tributary.round.purpose": config.measurement?.purpose ?? "train",
        "tributary.round.secure": config.secure !== null,
        "tributary.task": config.task,
        "tributary.model": model,
        "tributary.base_version": baseVersion,
      },
    });
    this.#context = spanContextOf(tracer, this.#root).setValue(ROUND_TRACE, this);
    this.#phaseContext = this.#context;
  }

  /** For every line of the round. */
  get logFields(): Record<string, unknown> {
    return { ...traceFields(this.#root) };
  }

  /** What a device sets off goes on in the round, and not in the message that set it off. */
  within<T>(run: () => T): T {
    return outsideRequest(() => context.with(this.#phaseContext, run));
  }

  /** Idempotent. */
  entered(phase: RoundState["phase"]): void {
    if (phase === this.#phaseName) return;
    this.#phaseName = phase;
    this.#phase?.end(spanTime());
    this.#phase = undefined;
    this.#phaseContext = this.#context;
    const name = PHASES[phase];
    if (name === undefined || !this.#root.isRecording()) return;
    this.#phase = this.#tracer.startSpan(name, { startTime: spanTime() }, this.#context);
    this.#phaseContext = spanContextOf(this.#tracer, this.#phase, this.#context);
  }

  /** A device said something: with a check-in it is the connection that says who came, with an upload the request. */
  message(device: DeviceId, type: string): void {
    if (!this.#root.isRecording()) return;
    const active = trace.getSpan(context.active())?.spanContext();
    const own = active?.traceId === this.#root.spanContext().traceId;
    const from = active === undefined || own ? this.#connectionOf(device) : active;
    if (from === undefined || !isSampled(from)) return;
    const attributes = { "tributary.device": device, "tributary.message": type };
    this.#phase?.addLink({ context: from, attributes });
  }

  /** Updates entered the sum: one span from the first to the last, however many batches they came in. */
  async folding<T>(updates: number, run: () => Promise<T>): Promise<T> {
    if (!this.#root.isRecording()) return run();
    this.#fold ??= this.#tracer.startSpan("aggregation.fold", { startTime: spanTime() }, this.#context);
    const began = monotonicMs();
    try {
      return await run();
    } finally {
      this.#folded.updates += updates;
      this.#folded.batches += 1;
      this.#folded.busyMs += monotonicMs() - began;
    }
  }

  /** No update comes any more. */
  foldEnded(): void {
    const { updates, batches, busyMs } = this.#folded;
    this.#fold?.setAttributes({
      "tributary.fold.updates": updates,
      "tributary.fold.batches": batches,
      "tributary.fold.busy_ms": Math.round(busyMs),
    });
    this.#fold?.end(spanTime());
    this.#fold = undefined;
  }

  /** The round's last row is stored. */
  ended(record: RoundRecord): void {
    this.foldEnded();
    this.#phase?.end(spanTime());
    this.#root.setAttributes({
      "tributary.round.outcome": record.phase,
      ...(record.reason === null ? {} : { "tributary.round.reason": record.reason }),
      ...(record.version === null ? {} : { "tributary.version": record.version }),
      "tributary.devices.offered": record.offered,
      "tributary.devices.ready": record.ready,
      "tributary.devices.cohort": record.cohort,
      "tributary.devices.reported": record.reported,
      "tributary.devices.dropouts": record.dropouts,
      "tributary.devices.refused": record.refused,
      "tributary.bytes.up": record.bytesUp,
      "tributary.bytes.down": record.bytesDown,
    });
    if (record.phase === "abandoned")
      this.#root.setStatus({ code: SpanStatusCode.ERROR, message: record.reason ?? "abandoned" });
    this.#root.end(spanTime());
  }
}

function isSampled({ traceFlags }: SpanContext): boolean {
  return (traceFlags & TraceFlags.SAMPLED) !== 0;
}

/** Of the round that is under way here. */
export function activeRoundTrace(): RoundTrace | undefined {
  return context.active().getValue(ROUND_TRACE) as RoundTrace | undefined;
}
