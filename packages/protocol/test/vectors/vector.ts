import { decodeHex } from "@tributary/core";

/** One golden frame. Byte strings in `message` are written `{ "hex": "…" }`. */
export interface Vector {
  readonly name: string;
  readonly side: "server" | "device";
  readonly message: unknown;
  readonly frame: string;
}

/** The message of a vector, with its byte strings as bytes. */
export function reviveVector(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reviveVector);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  if (entries.length === 1 && entries[0]![0] === "hex") {
    return decodeHex(entries[0]![1] as string);
  }
  return Object.fromEntries(entries.map(([key, item]) => [key, reviveVector(item)]));
}
