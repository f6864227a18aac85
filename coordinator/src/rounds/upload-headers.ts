import { failure } from "@tributary/core";

/** The length that an upload names; where it goes, and whether it may come, depends on it. */
export function contentLength(header: string | undefined): number {
  const sizeBytes = Number(header);
  if (header !== undefined && Number.isSafeInteger(sizeBytes)) return sizeBytes;
  throw failure("http/bad-request", "rounds: an upload names its length in Content-Length", {
    detail: { header: "content-length" },
  });
}
