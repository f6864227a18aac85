import { SpanKind, SpanStatusCode, type Span, type SpanContext, type Tracer } from "@opentelemetry/api";
import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
} from "@opentelemetry/semantic-conventions";
import type { DeviceId } from "@tributary/core";
import { spanTime } from "../observability/tracing/span-clock.ts";

const ROUTE = "/v1/connect";

/** How one connection came about, from its upgrade to the welcome; what is said on it later has links to that span. */
export class ConnectionTrace {
  readonly #span: Span | undefined;

  constructor(tracer: Tracer | undefined) {
    this.#span = tracer?.startSpan(`GET ${ROUTE}`, {
      root: true,
      kind: SpanKind.SERVER,
      startTime: spanTime(),
      attributes: {
        [ATTR_HTTP_REQUEST_METHOD]: "GET",
        [ATTR_HTTP_ROUTE]: ROUTE,
        [ATTR_HTTP_RESPONSE_STATUS_CODE]: 101,
      },
    });
  }

  get spanContext(): SpanContext | undefined {
    return this.#span?.spanContext();
  }

  opened(device: DeviceId, session: string): void {
    this.#span?.setAttributes({ "tributary.device": device, "tributary.session": session });
    this.#span?.end(spanTime());
  }

  /** Before it was open; what ends one later is no part of how it came about. */
  refused(code: string): void {
    if (this.#span?.isRecording() !== true) return;
    this.#span.setAttribute(ATTR_ERROR_TYPE, code);
    this.#span.setStatus({ code: SpanStatusCode.ERROR, message: code });
    this.#span.end(spanTime());
  }

  /** The socket closed, whatever was said on it. */
  gone(): void {
    if (this.#span?.isRecording() === true) this.#span.end(spanTime());
  }
}
