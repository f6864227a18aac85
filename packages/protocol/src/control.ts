import { decode, encode, failure, fromWire, toWire, type TributaryError } from "@tributary/core";
import { DeviceMessage } from "./device-message.ts";
import { LIMITS } from "./limits.ts";
import { Refusal, ServerMessage, type RefusalDetail } from "./server-message.ts";

/** One message as one WebSocket frame. */
export function encodeServerMessage(message: ServerMessage): Uint8Array<ArrayBuffer> {
  return encode(ServerMessage, message);
}

/** One message as one WebSocket frame. */
export function encodeDeviceMessage(message: DeviceMessage): Uint8Array<ArrayBuffer> {
  return encode(DeviceMessage, message);
}

/** @throws protocol/frame-too-large, or codec/* naming the field. */
export function decodeServerMessage(frame: Uint8Array): ServerMessage {
  checkFrame(frame);
  return decode(ServerMessage, frame);
}

/** @throws protocol/frame-too-large, or codec/* naming the field. */
export function decodeDeviceMessage(frame: Uint8Array): DeviceMessage {
  checkFrame(frame);
  return decode(DeviceMessage, frame);
}

function checkFrame(frame: Uint8Array): void {
  if (frame.length <= LIMITS.maxFrameBytes) return;
  throw failure(
    "protocol/frame-too-large",
    `protocol: a control frame has at most ${LIMITS.maxFrameBytes} bytes, got ${frame.length}; bulk goes over HTTP`,
    { detail: { sizeBytes: frame.length, maxFrameBytes: LIMITS.maxFrameBytes } },
  );
}

/** What a refusal says about an error: its code, its public message and its typed detail, never more. */
export function refusalOf(
  error: TributaryError,
  options: { retryAfterMs?: number } = {},
): { readonly type: "refusal" } & Refusal {
  const wire = toWire(error);
  const detail: RefusalDetail[] = Object.entries(wire.detail)
    .slice(0, LIMITS.maxDetailEntries)
    .map(([key, value]) => ({ key: clip(key, 64), value: clip(String(value), 256) }));
  return {
    type: "refusal",
    code: clip(wire.code, LIMITS.maxCodeBytes),
    message: clip(wire.message, LIMITS.maxMessageBytes),
    detail,
    ...(options.retryAfterMs === undefined ? {} : { retryAfterMs: options.retryAfterMs }),
  };
}

/** The other direction: the refusal as an error a driver can throw or report. */
export function errorOfRefusal(refusal: Refusal): TributaryError {
  return fromWire({
    code: refusal.code,
    message: refusal.message,
    detail: Object.fromEntries(refusal.detail.map(({ key, value }) => [key, value])),
    retryable: refusal.retryAfterMs !== undefined,
  });
}

/** Cuts to a number of UTF-8 bytes at a character border. */
function clip(value: string, maxBytes: number): string {
  const encoded = new TextEncoder().encode(value);
  if (encoded.length <= maxBytes) return value;
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return decoder.decode(encoded.subarray(0, maxBytes), { stream: true });
}
