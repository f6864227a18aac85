import {
  context,
  createContextKey,
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
  type Tracer,
} from "@opentelemetry/api";
import { toFailure, type LogFields } from "@tributary/core";
import { spanTime } from "./span-clock.ts";

/** Of a context: what makes its spans. Where there is none, nothing is traced. */
const TRACER = createContextKey("tributary.tracer");

/** A context in which `traced` makes children of this span. */
export function spanContextOf(tracer: Tracer, span: Span, parent: Context = ROOT_CONTEXT): Context {
  return trace.setSpan(parent.setValue(TRACER, tracer), span);
}

/** A span over what runs, within the one that is under way; where none is, it only runs. */
export function traced<T>(
  name: string,
  attributes: Attributes,
  run: (span: Span | undefined) => Promise<T>,
): Promise<T> {
  const parent = context.active();
  const tracer = parent.getValue(TRACER) as Tracer | undefined;
  return tracer === undefined ? run(undefined) : within(tracer, parent, { name, attributes }, run);
}

/** A trace of its own. */
export function tracedRoot<T>(
  tracer: Tracer | undefined,
  name: string,
  attributes: Attributes,
  run: (span: Span | undefined) => Promise<T>,
): Promise<T> {
  return tracer === undefined ? run(undefined) : within(tracer, ROOT_CONTEXT, { name, attributes }, run);
}

/** A span that was measured elsewhere: in a worker thread, by `monotonicMs`. */
export function tracedElsewhere(
  parent: Context,
  name: string,
  { beganAt, endedAt }: { readonly beganAt: number; readonly endedAt: number },
): void {
  const tracer = parent.getValue(TRACER) as Tracer | undefined;
  tracer?.startSpan(name, { startTime: spanTime(beganAt) }, parent).end(spanTime(endedAt));
}

async function within<T>(
  tracer: Tracer,
  parent: Context,
  { name, attributes }: { readonly name: string; readonly attributes: Attributes },
  run: (span: Span) => Promise<T>,
): Promise<T> {
  const span = tracer.startSpan(name, { attributes, startTime: spanTime() }, parent);
  try {
    return await context.with(spanContextOf(tracer, span, parent), () => run(span));
  } catch (error) {
    failed(span, error);
    throw error;
  } finally {
    span.end(spanTime());
  }
}

/** The code alone: a message may say more than leaves this machine. */
export function failed(span: Span, error: unknown): void {
  const { code } = toFailure(error);
  span.setAttribute("error.type", code);
  span.setStatus({ code: SpanStatusCode.ERROR, message: code });
}

/** What ties a log line to a span. */
export function traceFields(span: Span | undefined): LogFields {
  const { traceId, spanId } = span?.spanContext() ?? {};
  return span?.isRecording() === true ? { trace_id: traceId, span_id: spanId } : {};
}
