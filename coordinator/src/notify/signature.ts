import { createHmac } from "node:crypto";

/** `t=<seconds>,v1=<hex>`: HMAC-SHA256 of the time and the body, so that neither is changed, nor an old body sent again. */
export function webhookSignature(secret: string, body: string, nowMs: number): string {
  const seconds = Math.floor(nowMs / 1_000);
  return `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")}`;
}
